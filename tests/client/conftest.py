import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from diffsynth_blender.client import WorkerProcess, WorkerSession
from diffsynth_blender.protocol import Event

ROOT = Path(__file__).parents[2]
SLOW_WORKER = (str(Path(__file__).parent / "slow_worker.py"), "serve")


@pytest.fixture
def start() -> Iterator[Callable[..., WorkerSession]]:
    """A function that starts a session with a worker process: by default the one with made-up jobs."""
    sessions = []

    def start(*arguments: str, hello_seconds: float = 30.0) -> WorkerSession:
        process = WorkerProcess(Path(sys.executable), ROOT, arguments=arguments or SLOW_WORKER)
        sessions.append(WorkerSession(process, hello_seconds=hello_seconds))
        return sessions[-1]

    yield start
    for session in sessions:
        session.close()


@pytest.fixture
def job_dir(tmp_path: Path) -> Callable[[str], Path]:
    """A function that makes the folder of a made-up job."""

    def job_dir(name: str) -> Path:
        (tmp_path / name).mkdir(exist_ok=True)
        return tmp_path / name

    return job_dir


@pytest.fixture
def wait() -> Callable[..., list[Event]]:
    """A function that polls a session until an event of one of the types has come, and returns all that came."""

    def wait(session: WorkerSession, *types: type, seconds: float = 20.0) -> list[Event]:
        events: list[Event] = []
        deadline = time.monotonic() + seconds
        while not any(isinstance(event, types) for event in events):
            assert time.monotonic() < deadline, f"none of {types} within {seconds} s, only {events[-3:]}"
            events += session.poll()
            time.sleep(0.005)
        return events

    return wait
