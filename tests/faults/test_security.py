"""Nothing listens, nothing that was read is run, and nobody is told what is not theirs."""

import json
import os
import pickle
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from diffsynth_blender.client import WorkerProcess
from diffsynth_blender.client.environment import worker_environment
from diffsynth_blender.protocol import Control, Deflicker, Lora, Reference
from tests.e2e.conftest import ENVIRONMENT, ROOT, worker_command
from tests.e2e.job_folder import write_job_folder
from tests.faults.served import Served
from tests.faults.worker_process import StartedWorker, session_members
from tests.faults.wrong import is_refusal, tried
from tests.reference.scene import demo_scene
from tests.tiny_model import save_tiny_model

SCENE = demo_scene(32, 16)
SECRET = "hf_SecretThatNobodyMayRead"
LISTENS, BOUND = "0A", "07"
"""States in /proc/net: a TCP socket that listens, a UDP socket that anybody may send to."""


@pytest.fixture(scope="module")
def worker() -> Iterator[Served]:
    """One that serves all of what is tried."""
    with Served() as served:
        yield served


def listening(pid: int) -> list[str]:
    """Sockets of a process that wait for others, as the kernel tells them."""
    own = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(entry)
        except FileNotFoundError:  # closed by now
            continue
        if target.startswith("socket:["):
            own.add(target[8:-1])
    found = []
    for name, state in (("tcp", LISTENS), ("tcp6", LISTENS), ("udp", BOUND), ("udp6", BOUND)):
        for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] in own and fields[3] == state:
                found.append(f"{name} {fields[1]}")
    for line in Path(f"/proc/{pid}/net/unix").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[6] in own and int(fields[3], 16) & 0x10000:
            found.append(f"unix {fields[7:]}")
    return found


def test_a_listening_socket_would_be_seen():
    """The test below can fail."""
    import socket

    with socket.create_server(("127.0.0.1", 0)):
        assert len(listening(os.getpid())) == 1
    assert not listening(os.getpid())


def test_nothing_listens(tiny_model, tmp_path, tally):
    """Neither the worker nor what it starts, nor this process as its client, from the greeting to the end of a job."""
    folder = tmp_path / "job"
    write_job_folder(folder, model=tiny_model, frames=2, scene=SCENE, steps=2, deflicker=Deflicker(window=1))
    looks = []
    with tried(tally, "looked for listening sockets"), Served() as worker:

        def look(_: object) -> None:
            for pid in (os.getpid(), worker.pid, *session_members(worker.pid)):
                looks.append(listening(pid))

        assert worker.run(folder, look).is_done
        look(None)
    assert len(looks) > 10 and not any(looks), looks


class Trap:
    """What leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch '{self.mark}'",)


@pytest.fixture
def mark(tmp_path) -> Path:
    """A file that is there once a trap has been run."""
    return tmp_path / "mark"


def test_the_traps_work(mark, tmp_path, monkeypatch):
    """The tests below can fail."""
    monkeypatch.delenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", raising=False)  # our own protection, set where models are read
    pickle.loads(pickle.dumps(Trap(mark)))
    assert mark.exists()
    mark.unlink()
    torch.save({"weight": Trap(mark)}, tmp_path / "weights.bin")
    torch.load(tmp_path / "weights.bin", weights_only=False)
    assert mark.exists()


PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")


def as_model(pickled: Path, tiny: Path, **_: object) -> dict:
    return {"model": str(pickled)}


def as_lora(pickled: Path, tiny: Path, **_: object) -> dict:
    return {"model": str(tiny), "loras": (Lora(str(pickled)),)}


def as_control(pickled: Path, tiny: Path, **_: object) -> dict:
    return {"model": str(tiny), "controls": (Control("depth", model=str(pickled)),)}


def as_ip_adapter(pickled: Path, tiny: Path, **_: object) -> dict:
    folder = pickled.parent / f"adapter{pickled.suffix}"
    folder.mkdir()
    shutil.copy(pickled, folder / "ip-adapter.bin")
    return {"model": str(tiny), "reference": Reference("source/0001.png", ip_adapter=str(folder))}


def in_place_of_weights(pickled: Path, tiny: Path, **_: object) -> dict:
    model = pickled.parent / f"model{pickled.suffix}"
    shutil.copytree(tiny, model)
    for weights in (model / "unet").glob("*.safetensors"):
        weights.unlink()
    shutil.copy(pickled, model / "unet" / f"diffusion_pytorch_model{pickled.suffix}")
    return {"model": str(model)}


def in_weights_clothing(pickled: Path, tiny: Path, **_: object) -> dict:
    path = pickled.with_suffix(f"{pickled.suffix}.safetensors")
    shutil.copy(pickled, path)
    return {"model": str(path)}


def as_estimator(pickled: Path, tiny: Path, **_: object) -> dict:
    folder = pickled.parent / f"estimators{pickled.suffix}"
    folder.mkdir()
    shutil.copy(pickled, folder / "ControlNetHED.pth")
    return {"model": str(tiny), "controls": (Control("softedge", annotator="hed"),), "annotators": str(folder)}


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "use", [as_model, as_lora, as_control, as_ip_adapter, in_place_of_weights, in_weights_clothing, as_estimator]
)
def test_pickles_are_refused(use, worker, tiny_model, tmp_path, mark, times, tally):
    """Wherever weights can be given, and whatever the file is called: refused with a sentence, and never unpickled."""
    for ending in PICKLES[:: times(5, 1)]:
        pickled = tmp_path / f"weights{ending}"
        torch.save({"netNetwork.weight": Trap(mark)}, pickled)
        settings = use(pickled, Path(tiny_model))
        folder = tmp_path / f"job{ending}"
        write_job_folder(folder, frames=1, scene=SCENE, steps=2, **settings)
        with tried(tally, "pickle in place of weights"):
            told = worker.run(folder)
            assert told.kind in ("model_missing", "bad_job") and is_refusal(told.message), told
            assert not mark.exists(), f"{ending} was unpickled"


def plant(model: Path, code: str) -> None:
    """Everything in a model folder by which libraries have been told to run code from it."""
    for folder in (model, *(path for path in model.iterdir() if path.is_dir())):
        for name in (
            "pipeline",
            "modeling",
            "custom",
            folder.name,
            "__init__",
            "conftest",
            "sitecustomize",
            "torch",
            "json",
        ):
            (folder / f"{name}.py").write_text(code)
        for ending in PICKLES:
            (folder / f"pytorch_model{ending}").write_bytes(b"cos\nsystem\n(S'touch mark'\ntR.")
    index = json.loads((model / "model_index.json").read_text())
    (model / "model_index.json").write_text(
        json.dumps({**index, "_class_name": ["pipeline", "Custom"], "unet": ["custom", "Net"]})
    )
    classes = ("AutoModel", "AutoTokenizer", "AutoConfig", "AutoModelForCausalLM")
    remote = {
        "auto_map": {name: "modeling.Custom" for name in classes},
        "trust_remote_code": True,
        "custom_code": "modeling.py",
    }
    for path in [*model.glob("*/config.json"), *model.glob("tokenizer*/tokenizer_config.json")]:
        value = json.loads(path.read_text())
        if path.name == "tokenizer_config.json":
            remote["auto_map"]["AutoTokenizer"] = ["modeling.Custom", "modeling.Custom"]
        path.write_text(json.dumps({**value, **remote}))


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("family", ["sd15", "sd3"])
def test_no_code_of_a_model_folder_is_run(family, worker, tmp_path, mark, tally):
    """Programs of every kind that libraries know lie in the model's folder: the frames are made without them."""
    model = tmp_path / "model"
    save_tiny_model(model, family)
    plant(model, f"open({str(mark)!r}, 'w').close()\n")
    sampler = "flow_euler" if family == "sd3" else "ddim"
    folder = tmp_path / "job"
    write_job_folder(folder, model=str(model), frames=1, scene=SCENE, steps=2, sampler=sampler, deflicker=None)
    with tried(tally, "code in a model folder"):
        told = worker.run(folder)
        assert told.is_done or is_refusal(told.message), told
        assert told.is_done or family == "sd3", told
        assert not mark.exists() and not (folder / "mark").exists()


def test_a_tokenizer_of_an_unknown_class_is_no_question(worker, tmp_path, mark, tally):
    """One that only a program in its folder knows is refused at once, and nobody is asked whether to run that."""
    model = tmp_path / "model"
    save_tiny_model(model, "sd3")
    plant(model, f"open({str(mark)!r}, 'w').close()\n")
    path = model / "tokenizer_3" / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "tokenizer_class": "CustomTokenizer"}))
    folder = tmp_path / "job"
    write_job_folder(folder, model=str(model), frames=1, scene=SCENE, steps=2, sampler="flow_euler", deflicker=None)
    with tried(tally, "code in a model folder"):
        told = worker.run(folder)
        assert told.is_done or (told.kind == "model_missing" and is_refusal(told.message, str(path.parent))), told
        assert not mark.exists()


@pytest.mark.parametrize("place", ["job", "model"])
def test_no_code_of_the_folder_where_somebody_stands_is_run(place, tiny_model, tmp_path, mark, tally):
    """`cd JOB; python -m diffsynth_blender.worker run .`: modules of Python's own names in it are not Python's."""
    folder, model = tmp_path / "job", tmp_path / "model"
    shutil.copytree(tiny_model, model)
    write_job_folder(folder, model=str(model), frames=1, scene=SCENE, steps=2)
    names = ("argparse", "json", "re", "signal", "torch", "numpy", "PIL", "sitecustomize", "usercustomize")
    for name in names:
        (tmp_path / place / f"{name}.py").write_text(f"open({str(mark)!r}, 'w').close()\n")
    with tried(tally, "code where somebody stands"):
        done = subprocess.run(
            worker_command("run", folder), cwd=tmp_path / place, env=ENVIRONMENT, capture_output=True, text=True,
            timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert not mark.exists()


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
