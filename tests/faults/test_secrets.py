"""Nobody is told what is not theirs: a worker's environment, and where a token may be."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from diffsynth_blender.client import WorkerProcess
from diffsynth_blender.client.environment import worker_environment
from tests.e2e.conftest import ENVIRONMENT, ROOT, worker_command
from tests.e2e.job_folder import write_job_folder
from tests.faults.worker_process import StartedWorker
from tests.faults.wrong import tried
from tests.reference.scene import demo_scene

SCENE = demo_scene(32, 16)
SECRET = "hf_SecretThatNobodyMayRead"

POISON = {
    "HF_TOKEN": SECRET, "HUGGING_FACE_HUB_TOKEN": SECRET, "AWS_SECRET_ACCESS_KEY": SECRET, "SSH_AUTH_SOCK": "/nowhere",
    "GITHUB_TOKEN": SECRET, "HTTPS_PROXY": f"http://user:{SECRET}@127.0.0.1:9", "LD_PRELOAD": "",
    "PYTHONSTARTUP": "/nowhere", "PYTHONPATH": "/nowhere", "PYTHONHOME": "", "PYTHONBREAKPOINT": "os.system",
    "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1",
    "PYTHONINSPECT": "", "BLENDER_USER_SCRIPTS": "/nowhere", "GIT_SSH_COMMAND": "touch mark", "NODE_OPTIONS": "x",
}  # fmt: skip
"""What a host's environment may hold, and a worker has no use for."""


def test_a_worker_is_given_what_is_listed(monkeypatch, tmp_path, tally):
    """The process itself tells: nothing of a poisoned environment is in it but what the list names."""
    kept = {"PATH": os.environ["PATH"], "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"}
    for name, value in {**POISON, **kept}.items():
        monkeypatch.setenv(name, value)
    process = WorkerProcess(Path(sys.executable), ROOT)
    with tried(tally, "poisoned environment"):
        process.start()
        try:
            content = Path(f"/proc/{process.pid}/environ").read_bytes().decode()
        finally:
            process.terminate()
        given = dict(line.partition("=")[::2] for line in content.split("\0") if line)
        assert given == worker_environment(ROOT) and SECRET not in content
        assert not set(given) & (set(POISON) - {"PYTHONPATH"}) and given["PYTHONPATH"] == str(ROOT)
        assert {name: given.get(name) for name in kept} == kept
        downloads = worker_environment(ROOT, downloads=True)
        assert downloads["HF_TOKEN"] == SECRET and "AWS_SECRET_ACCESS_KEY" not in downloads


def test_a_secret_is_nowhere(tiny_model, tmp_path, tally):
    """A worker that was started with tokens all the same: not in events, errors, reports, pictures or the journal."""
    secrets = {name: value for name, value in POISON.items() if SECRET in value}
    folder = tmp_path / "job"
    write_job_folder(folder, model=tiny_model, frames=1, scene=SCENE, steps=2)
    with tried(tally, "secrets in the environment"):
        with StartedWorker("run", folder, environment=secrets) as worker:
            assert worker.wait() == 0, worker.stderr
        assert SECRET not in json.dumps(worker.events) + worker.stderr
        for path in (path for path in tmp_path.rglob("*") if path.is_file()):
            assert SECRET.encode() not in path.read_bytes(), path
        broken = tmp_path / "broken"
        write_job_folder(broken, model="/nowhere/model", frames=1, scene=SCENE)
        with StartedWorker("run", broken, environment=secrets) as worker:
            assert worker.wait() == 3
        assert SECRET not in json.dumps(worker.events) + worker.stderr


class Talkative(BaseHTTPRequestHandler):
    """A hub, or a proxy on the way to it, that refuses and repeats all that it was told."""

    def do_GET(self) -> None:
        """Refuse."""
        told = f"{self.headers} {SECRET}".encode()
        self.send_response(403)
        self.send_header("X-Error-Message", f"no access with {SECRET}")
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(told)

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def talkative() -> Iterator[str]:
    """Its host and port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Talkative) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize("refuses", ["hub", "proxy"])
def test_a_failing_download_keeps_its_secrets(refuses, talkative, tmp_path, tally):
    """Neither the token nor a proxy's password is in what a download says, whatever the other end repeats."""
    environment = {**ENVIRONMENT, "HF_TOKEN": SECRET, "HF_HUB_OFFLINE": "0", "NO_PROXY": "", "no_proxy": ""}
    endpoint = f"http://{talkative}"
    if refuses == "proxy":
        environment |= dict.fromkeys(("HTTP_PROXY", "http_proxy"), f"http://user:{SECRET}@{talkative}")
        endpoint = "http://hub.invalid"
    with tried(tally, "secrets in a failing download"):
        done = subprocess.run(
            worker_command("models", "download", "sd15", "--folder", tmp_path, "--endpoint", endpoint, "--json"),
            env=environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 3 and "refuses access (403)" in done.stdout, (done.stdout, done.stderr[-500:])
        assert SECRET not in done.stdout + done.stderr
        for path in (path for path in tmp_path.rglob("*") if path.is_file()):
            assert SECRET.encode() not in path.read_bytes(), path
