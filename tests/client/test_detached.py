"""A worker that outlives its host: started, followed, stopped and found again by the files of its job folder alone."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from diffsynth_blender.client import DetachedWorker, has_traces, is_detached, start_detached
from diffsynth_blender.protocol import (
    Event,
    JobBusyError,
    JobCancelled,
    JobDone,
    JobFailed,
    JobProgress,
    WorkerDiedError,
)
from diffsynth_blender.protocol.traces import events_path

ROOT = Path(__file__).parents[2]
SLOW_RUN = (str(Path(__file__).parent / "slow_worker.py"), "run")

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs signals and process groups")


@pytest.fixture
def start() -> Iterator[Callable[[Path], int]]:
    """A function that starts a detached worker with made-up jobs; whatever still runs at the end is ended."""
    folders = []

    def start(job_dir: Path) -> int:
        folders.append(job_dir)
        return start_detached(Path(sys.executable), ROOT, job_dir, arguments=SLOW_RUN)

    yield start
    for folder in folders:
        DetachedWorker(folder).close(grace=0.0)


def is_there(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_it_tells_all_that_a_worker_tells(start, job_dir, wait) -> None:
    """Give a follower the events of the whole job, its end last, and then nothing any more."""
    folder = job_dir("quick")
    pid = start(folder)
    follower = DetachedWorker(folder)
    events = wait(follower, JobDone, JobFailed)
    assert isinstance(events[-1], JobDone) and sum(isinstance(event, JobProgress) for event in events) >= 2
    assert follower.poll() == []
    wait_until(lambda: not is_there(pid))
    assert not is_detached(folder)


def test_who_comes_late_learns_how_it_ended(start, job_dir, wait) -> None:
    """Read the end of a job whose worker is long gone, as often as one likes."""
    folder = job_dir("bad")
    assert not has_traces(folder)
    pid = start(folder)
    wait_until(lambda: not is_there(pid))
    assert has_traces(folder)
    for _ in range(2):
        [failure] = wait(DetachedWorker(folder), JobFailed)
        assert (failure.kind, "settings.steps" in failure.message) == ("bad_job", True)


def test_it_outlives_its_host(job_dir, wait) -> None:
    """Go on when the process that started it is killed, and be followed and stopped by another one."""
    folder = job_dir("steps")
    code = (
        "import sys; from pathlib import Path; from diffsynth_blender.client import start_detached;"
        f"print(start_detached(Path(sys.executable), Path({str(ROOT)!r}), Path({str(folder)!r}),"
        f" arguments={SLOW_RUN!r}), flush=True); sys.stdin.read()"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    host = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )
    with host:
        assert host.stdout is not None
        pid = int(host.stdout.readline())
        wait_until(lambda: is_detached(folder))
        host.kill()
    follower = DetachedWorker(folder)
    events: list[Event] = wait(follower, JobProgress)
    before = len((folder / "steps.txt").read_text().splitlines())
    wait_until(lambda: len((folder / "steps.txt").read_text().splitlines()) > before + 1)
    assert is_there(pid) and os.getsid(pid) == pid
    follower.cancel()
    events = wait(follower, JobCancelled, JobFailed)
    assert isinstance(events[-1], JobCancelled)
    wait_until(lambda: not is_there(pid))


def test_one_worker_at_a_folder(start, job_dir, wait) -> None:
    """Refuse a second one while the first lives, and leave the first alone."""
    folder = job_dir("steps")
    pid = start(folder)
    wait(DetachedWorker(folder), JobProgress)
    with pytest.raises(JobBusyError, match="goes on with this job already"):
        start(folder)
    assert is_there(pid) and is_detached(folder)


def test_asking_does_not_keep_it_from_starting(start, job_dir, wait) -> None:
    """Start while others look, thousands of times a second, whether it has."""
    folder = job_dir("quick")
    start(folder)
    deadline = time.monotonic() + 20
    follower = DetachedWorker(folder)
    events: list[Event] = []
    while not any(isinstance(event, JobDone | JobFailed) for event in events):
        assert time.monotonic() < deadline
        is_detached(folder)
        events += follower.poll()
    assert isinstance(events[-1], JobDone)


def test_a_killed_one_is_told(start, job_dir, wait) -> None:
    """Report the end of a worker that could not: killed by the system, or crashed in a driver."""
    folder = job_dir("steps")
    pid = start(folder)
    follower = DetachedWorker(folder)
    wait(follower, JobProgress)
    os.kill(pid, 9)
    events = wait(follower, JobFailed)
    assert (events[-1].kind, "without a word" in events[-1].message) == (WorkerDiedError.kind, True)
    folder = job_dir("crash")
    start(folder)
    assert "driver: last words" in wait(DetachedWorker(folder), JobFailed)[-1].message


def test_one_that_listens_to_nobody_is_killed(start, job_dir, wait) -> None:
    """End a worker within the grace it is given, whatever it is at."""
    folder = job_dir("stuck")
    pid = start(folder)
    follower = DetachedWorker(folder)
    wait(follower, JobProgress)
    before = time.monotonic()
    follower.close(grace=0.5)
    assert time.monotonic() - before < 3.0
    wait_until(lambda: not is_there(pid), 2.0)


def test_what_cannot_start_is_told(tmp_path: Path) -> None:
    """Name the interpreter that is not there, and one that is no worker's, with its own last words."""
    with pytest.raises(WorkerDiedError, match="cannot be started"):
        start_detached(tmp_path / "python", ROOT, tmp_path)
    with pytest.raises(WorkerDiedError, match=r"did not start as a worker; its last .*named 'nothing'"):
        start_detached(Path(sys.executable), ROOT, tmp_path, arguments=("-c", "import nothing"))
    assert not is_detached(tmp_path) and not has_traces(tmp_path)


def test_one_that_never_said_a_word_is_given_up(tmp_path: Path) -> None:
    """Follow a folder where nobody is, for as long as a start may take and not longer."""
    follower = DetachedWorker(tmp_path, start_seconds=0.3)
    assert follower.poll() == []
    time.sleep(0.4)
    [failure] = follower.poll()
    assert isinstance(failure, JobFailed) and failure.kind == WorkerDiedError.kind
    assert not events_path(tmp_path).exists()
