import io
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from diffsynth_blender.protocol import (
    PROTOCOL_VERSION,
    DeflickerFrames,
    Event,
    Hello,
    JobCancelledError,
    JobDone,
    JobFailed,
    JobProgress,
    Message,
    Ready,
    RunJob,
    Shutdown,
)
from diffsynth_blender.protocol.errors import DeviceLostError
from diffsynth_blender.protocol.framing import encode_line, read_messages
from diffsynth_blender.worker.failure import describe_failure
from diffsynth_blender.worker.server import serve

ROOT = Path(__file__).parents[2]
SERVE = [sys.executable, "-m", "diffsynth_blender.worker", "serve"]


def converse(*requests: Message) -> tuple[int, list[Message]]:
    """Serve these requests over in-memory streams with a job that runs until it is cancelled."""

    def run_job(
        job_dir: Path, frames: tuple[int, int] | None, on_event: Callable[[Event], None], cancelled: Callable[[], bool]
    ) -> None:
        on_event(JobProgress("", "load", 0, 1))
        while not cancelled():
            time.sleep(0.01)
        raise JobCancelledError("asked to")

    out = io.BytesIO()
    exit_code = serve(io.BytesIO(b"".join(encode_line(request) for request in requests)), out, run_job=run_job)
    return exit_code, list(read_messages(io.BytesIO(out.getvalue())))


def test_shutdown_cancels_and_ends() -> None:
    """End the running job with its terminal event, then the process with exit code 0."""
    exit_code, events = converse(Hello(PROTOCOL_VERSION, ""), RunJob("job-1", "/shot", None), Shutdown())
    assert exit_code == 0
    assert [type(event).__name__ for event in events] == ["Ready", "JobProgress", "JobCancelled"]
    assert all(event.job_id == "job-1" for event in events[1:])


@pytest.mark.parametrize("error", [MemoryError(), DeviceLostError("the card has stopped; run the job again")])
def test_a_worker_that_the_machine_refused_ends_after_telling(error: Exception) -> None:
    """Libraries remember a refusal for as long as the process lives: the next job is another worker's."""

    def run_job(*_: object) -> None:
        raise error

    ours, theirs = os.pipe()
    with os.fdopen(ours, "rb") as requests, os.fdopen(theirs, "wb") as host:
        host.write(encode_line(Hello(PROTOCOL_VERSION, "")) + encode_line(RunJob("job-1", "/shot", None)))
        host.flush()
        out = io.BytesIO()
        assert serve(requests, out, run_job=run_job) == describe_failure(error).exit_code != 0
    _, end = read_messages(io.BytesIO(out.getvalue()))
    assert isinstance(end, JobFailed) and end.kind == describe_failure(error).kind


def test_an_idle_worker_ends_when_its_host_leaves() -> None:
    """Take a closed pipe for a goodbye while nothing runs."""
    assert converse() == (0, [])
    exit_code, events = converse(Hello(PROTOCOL_VERSION, ""))
    assert exit_code == 0 and isinstance(events[0], Ready)


@pytest.mark.parametrize(
    ("requests", "words"),
    [
        ([Shutdown()], "the first request must be Hello, not Shutdown"),
        ([Hello(PROTOCOL_VERSION, ""), Hello(PROTOCOL_VERSION, "")], "Hello is not a request at this point"),
        ([Hello(PROTOCOL_VERSION, ""), JobDone("", "")], "JobDone is not a request at this point"),
    ],
)
def test_protocol_errors_end_the_worker(
    requests: list[Message], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """End with one line on stderr when the host speaks another language."""
    exit_code, _ = converse(*requests)
    assert exit_code == 1 and words in capsys.readouterr().err


def test_a_version_mismatch_names_both(capsys: pytest.CaptureFixture[str]) -> None:
    """Answer a host of another version, so that it can tell its user, and do nothing else for it."""
    exit_code, events = converse(Hello(99, "9.9.9"), RunJob("job-1", "/shot", None))
    assert exit_code == 1 and [type(event) for event in events] == [Ready]
    error = capsys.readouterr().err
    assert "version 99" in error and f"version {PROTOCOL_VERSION}" in error and "9.9.9" in error


def test_ready_before_heavy_imports() -> None:
    """Answer the greeting before torch or numpy is imported: the real process tells its imports."""
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", *SERVE[1:]],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    output, imports = process.communicate(encode_line(Hello(PROTOCOL_VERSION, "")), timeout=60)
    assert b"Ready" in output and process.returncode == 0
    names = {line.rpartition("|")[2].strip() for line in imports.decode().splitlines()}
    assert "diffsynth_blender.worker.server" in names
    assert not names & {"torch", "numpy", "warp", "diffusers", "transformers", "OpenEXR", "PIL"}


def test_a_bad_job_is_refused_before_heavy_imports(tmp_path: Path) -> None:
    """Fail a job without a job file, and a deflickering without a guide, by message, and go on serving."""
    process = subprocess.Popen(SERVE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdin is not None and process.stdout is not None
    with process:
        process.stdin.write(encode_line(Hello(PROTOCOL_VERSION, "")))
        process.stdin.write(encode_line(RunJob("a", str(tmp_path), None)))
        process.stdin.flush()
        events = read_messages(process.stdout)
        assert isinstance(next(events), Ready)
        failure = next(events)
        assert isinstance(failure, JobFailed) and (failure.job_id, failure.kind) == ("a", "bad_job")
        assert str(tmp_path / "job.json") in failure.message
        process.stdin.write(
            encode_line(DeflickerFrames("b", str(tmp_path), str(tmp_path / "out"), None, None, "fast", 4, "cpu"))
        )
        process.stdin.flush()
        failure = next(events)
        assert isinstance(failure, JobFailed) and (failure.job_id, failure.kind) == ("b", "bad_job")
        assert "--guide DIR" in failure.message and not (tmp_path / "out").exists()
        process.stdin.write(encode_line(Shutdown()))
        process.stdin.close()
        assert list(events) == []
    assert process.returncode == 0


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_ctrl_c_in_the_terminal_is_the_hosts() -> None:
    """Survive an interrupt: the host decides what becomes of its jobs."""
    process = subprocess.Popen(SERVE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdin is not None and process.stdout is not None
    with process:
        process.stdin.write(encode_line(Hello(PROTOCOL_VERSION, "")))
        process.stdin.flush()
        assert b"Ready" in process.stdout.readline()
        process.send_signal(2)
        time.sleep(0.2)
        process.stdin.write(encode_line(Shutdown()))
        process.stdin.close()
    assert process.returncode == 0
