"""Lines for programs: one object a line on stdout, as it happens, with exactly one end, whatever that is."""

import json
import os
import signal
import threading
from pathlib import Path

import bpy
import pytest

from diffsynth_blender.host.command import command
from diffsynth_blender.protocol import JOURNAL_FILE, Journal, output_path
from tests.host.shots import make_shot
from tests.host.stand_in_worker import use_stand_in_worker

ENDS = ("JobDone", "JobCancelled", "JobFailed")


@pytest.fixture
def shot(tmp_path, monkeypatch) -> bpy.types.Scene:
    use_stand_in_worker(tmp_path, monkeypatch)
    return make_shot(width=32, height=24)


def lines_of(capfd) -> list[dict]:
    """What was written to stdout since the last call, all of it lines of ours with one end."""
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert all(line.get("job_id", "") == "" for line in lines)
    assert [line["type"] in ENDS for line in lines] == [False] * (len(lines) - 1) + [True]
    return lines


def test_everything_is_told(shot, tmp_path, capfd):
    """Renders, the worker's steps, every frame, every file; Blender's own messages are elsewhere."""
    capfd.readouterr()
    job_dir = tmp_path / "job"
    assert command.run(["run", "--json", "--prompt", "clay", "--output", str(job_dir), "--movie"]) == 0
    lines = lines_of(capfd)
    renders = [line for line in lines if line.get("stage") == "render"]
    assert [(line["step"], line["step_count"]) for line in renders] == [(n, 6) for n in range(1, 7)]
    assert any(line.get("stage") == "denoise" for line in lines)
    assert [line["frame"] for line in lines if line["type"] == "FrameDone"] == [4, 5, 6]
    files = {line["kind"]: Path(line["path"]) for line in lines if line["type"] == "FileWritten"}
    assert files == {"movie": job_dir / "result.mp4", "blend": job_dir / "Scene.blend"}
    assert all(path.is_file() for path in files.values())
    assert lines[-1] == {"type": "JobDone", "job_id": "", "job_dir": str(job_dir)}
    print("stdout is Python's again")
    assert "stdout is Python's again" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "kind"),
    [
        (["run", "--prompt", "clay", "--frames", "x", "--output", "OUT"], 2, "bad_job"),
        (["nonsense"], 2, "bad_job"),
        (["run", "--prompt", "clay", "--output", "OUT", "--scene", "Nope"], 2, "bad_job"),
        (["run", "--prompt", "clay", "--output", "OUT", "--worker-python", "OUT"], 3, "device_missing"),
        (["run", "--prompt", "no memory", "--output", "OUT", "--frames", "5"], 4, "out_of_memory"),
        (["status", "OUT"], 2, "bad_job"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_failures_are_told(shot, tmp_path, capfd, arguments, code, kind):
    """The last line says of what kind the failure is, with the sentence that people read on stderr."""
    capfd.readouterr()
    arguments = [str(tmp_path / "job") if argument == "OUT" else argument for argument in arguments]
    assert command.run([*arguments, "--json"]) == code
    out, err = capfd.readouterr()
    end = json.loads(out.splitlines()[-1])
    assert (end["type"], end["kind"]) == ("JobFailed", kind)
    assert f"diffsynth: error: {end['message']}\n" in err


def test_status(shot, tmp_path, capfd):
    """What is finished, what is not, and whether a worker is at it."""
    job_dir = tmp_path / "job"
    assert command.run(["run", "--prompt", "clay", "--output", str(job_dir), "--no-save"]) == 0
    output_path(job_dir, 5).unlink()
    capfd.readouterr()
    assert command.run(["status", str(job_dir), "--json"]) == 0
    status = lines_of(capfd)[0]
    assert (status["frames"], status["finished"]) == ([4, 5, 6], [4, 6])
    assert (status["is_done"], status["is_running"]) == (False, False)
    assert command.run(["resume", str(job_dir)]) == 0
    capfd.readouterr()
    with Journal(job_dir):
        assert command.run(["status", str(job_dir), "--json"]) == 0
    status = lines_of(capfd)[0]
    assert (status["finished"], status["is_done"], status["is_running"]) == ([4, 5, 6], True, True)
    assert (job_dir / JOURNAL_FILE).is_file()


def test_cancel(shot, tmp_path, capfd):
    """Ctrl-C in the render and in the worker both end with JobCancelled, exit code 130."""
    capfd.readouterr()
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    arguments = ["run", "--json", "--prompt", "slow", "--output", str(tmp_path / "job")]
    assert command.run(arguments) == 130
    assert lines_of(capfd)[-1]["type"] == "JobCancelled"
