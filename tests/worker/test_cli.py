import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from diffsynth_blender.protocol import JobFailed, JobProgress, save_job
from diffsynth_blender.protocol.framing import decode_line
from diffsynth_blender.worker.cli import progress_text
from tests.protocol.examples import example_job, example_value

ROOT = Path(__file__).parents[2]
REAL = [sys.executable, "-m", "diffsynth_blender.worker"]
MADE_UP = [sys.executable, str(ROOT / "tests" / "client" / "slow_worker.py")]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def run(command: list[str], *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, *map(str, arguments)], check=False, capture_output=True, text=True, timeout=120, env=ENVIRONMENT
    )


def made_up(tmp_path: Path, name: str) -> Path:
    (tmp_path / name).mkdir()
    return tmp_path / name


def assert_one_line_error(result: subprocess.CompletedProcess[str], exit_code: int, *words: str) -> None:
    assert result.returncode == exit_code, result.stderr
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr and result.stdout == ""
    for word in words:
        assert word in result.stderr


def test_bad_job_files(tmp_path: Path) -> None:
    """Exit with 2 and one line naming file, key and remedy; change nothing in the folder."""
    assert_one_line_error(run(REAL, "run", tmp_path / "nowhere"), 2, "nowhere/job.json", "give the folder")
    value = example_value(tmp_path)
    value["settings"]["strengh"] = value["settings"].pop("strength")
    path = tmp_path / "job.json"
    for content, word in (
        (json.dumps(value), "settings.strengh is not a known key; remove it or use 'strength'"),
        ("not json", "not a JSON file"),
        (json.dumps({**value, "version": 7}), "version 7"),
    ):
        path.write_text(content)
        assert_one_line_error(run(REAL, "run", tmp_path), 2, str(path), word)
        assert list(tmp_path.iterdir()) == [path]


def test_frames_the_job_does_not_have(tmp_path: Path) -> None:
    """Exit with 2, naming the frames there are."""
    save_job(example_job(), tmp_path)
    assert_one_line_error(
        run(REAL, "run", tmp_path, "--frames", "7-9"), 2, "job.json: has no frame from 7 to 9", "1 to 5"
    )


@pytest.mark.parametrize("frames", ["x", "3-1", "-1--3", "--3", "1-", "1,2"])
def test_frame_ranges(frames: str, tmp_path: Path) -> None:
    """Exit with 2 at a range that is none."""
    result = run(REAL, "run", tmp_path, f"--frames={frames}")
    assert result.returncode == 2 and "--frames" in result.stderr and "Traceback" not in result.stderr


def test_a_python_without_packages(tmp_path: Path) -> None:
    """Exit with 3, naming interpreter and package, where the worker's packages are not installed."""
    save_job(example_job(), tmp_path)
    result = run([sys.executable, "-S", *REAL[1:]], "run", tmp_path)
    assert_one_line_error(result, 3, sys.executable, "has no package", "install")


@pytest.mark.parametrize(("name", "exit_code"), [("bad", 2), ("memory", 4)])
def test_exit_codes_of_known_failures(name: str, exit_code: int, tmp_path: Path) -> None:
    """Exit with the kind's code and one line, no traceback."""
    assert_one_line_error(run(MADE_UP, "run", made_up(tmp_path, name)), exit_code)


@pytest.mark.parametrize("name", ["bug", "leave"])
def test_a_bug_shows_its_traceback(name: str, tmp_path: Path) -> None:
    """Exit with 1, and show where it happened: that is what a bug report needs."""
    result = run(MADE_UP, "run", made_up(tmp_path, name))
    assert result.returncode == 1 and "Traceback" in result.stderr and "slow_worker.py" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("error: ")


def test_done(tmp_path: Path) -> None:
    """Exit with 0; name each frame and the folder on stderr, write nothing to stdout."""
    result = run(MADE_UP, "run", made_up(tmp_path, "quick"))
    assert result.returncode == 0 and result.stdout == ""
    lines = result.stderr.splitlines()
    assert lines[-1] == f"done: {tmp_path / 'quick'}" and "write 100/100" in lines
    assert sum(line.startswith("frame ") for line in lines) == 100
    assert "\r" not in result.stderr


def test_json(tmp_path: Path) -> None:
    """Write the events, and nothing a job prints, to stdout."""
    noise = run(MADE_UP, "run", made_up(tmp_path, "noise"), "--json")
    assert [json.loads(line)["type"] for line in noise.stdout.splitlines()] == ["JobDone"]
    assert "noise from C" in noise.stderr
    bad = run(MADE_UP, "run", made_up(tmp_path, "bad"), "--json")
    event = decode_line(bad.stdout.splitlines(keepends=True)[-1].encode())
    assert bad.returncode == 2 and isinstance(event, JobFailed) and event.kind == "bad_job"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels(number: signal.Signals, tmp_path: Path) -> None:
    """Stop after the current step, exit with 130, and say how to go on."""
    folder = made_up(tmp_path, "steps")
    process = subprocess.Popen([*MADE_UP, "run", folder], stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    assert process.stderr is not None
    assert process.stderr.readline().startswith("denoise 0/")
    process.send_signal(number)
    _, error = process.communicate(timeout=20)
    assert process.returncode == 130
    assert error.splitlines()[-1] == "cancelled; run the same command again to go on"


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    """Exit with 130 also from a job that does not listen."""
    process = subprocess.Popen(
        [*MADE_UP, "run", made_up(tmp_path, "stuck")], stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    )
    assert process.stderr is not None and process.stderr.readline()
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130


def test_a_reader_that_leaves(tmp_path: Path) -> None:
    """Cancel, without a traceback, when nobody reads the events any more."""
    process = subprocess.Popen(
        [*MADE_UP, "run", made_up(tmp_path, "steps"), "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT,
    )  # fmt: skip
    assert process.stdout is not None and process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    error = process.stderr.read()
    assert process.wait(timeout=20) == 130 and "Traceback" not in error and "Exception" not in error


def test_progress_on_a_terminal_stays_on_one_line(tmp_path: Path) -> None:
    """Overwrite the progress line on a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([*MADE_UP, "run", made_up(tmp_path, "steps")], stderr=theirs, env=ENVIRONMENT)
    os.close(theirs)
    text = b""
    while b"denoise 12/" not in text:
        text += os.read(ours, 1000)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=20)
    os.close(ours)
    assert b"\n" not in text and text.count(b"\r") > 3 and b" left" in text


def test_progress_text() -> None:
    """Say what a person wants to know."""
    assert progress_text(JobProgress("", "denoise", 5, 20, 12, 80.4)) == "denoise 5/20, frame 12, 1:20 left"
    assert progress_text(JobProgress("", "load", 0, 1)) == "load 0/1"
    assert progress_text(JobProgress("", "load", 1, 1, None, 0.0)) == "load 1/1"
