"""A worker that serves one job after another, as Blender has it, for faults that end a job and not the worker.

What a job computes is compared with the same job undisturbed, which runs once for all tests.
"""

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from diffsynth_blender.client import WorkerProcess, WorkerSession
from diffsynth_blender.protocol import Event, JobDone, JobFailed, JobNote, JobProgress
from diffsynth_blender.protocol.messages import TERMINAL_EVENTS
from tests.e2e.conftest import ROOT
from tests.e2e.job_folder import write_job_folder
from tests.faults.truth import frames_of, is_free
from tests.faults.worker_process import Hang

SERVE = ("-m", "diffsynth_blender.worker", "serve")
FRAMES = 4
LIMIT = 400.0
"""Seconds that a job may take on a machine that others use and stop for minutes; an idle one takes 2 s."""


@dataclass
class Told:
    """What a job told until its end."""

    end: Event
    stage: str = ""
    """The last it was in."""
    began: dict[str, int] = field(default_factory=dict)
    """The step at which each stage began, first to last."""
    reached: dict[str, int] = field(default_factory=dict)
    """The last step of each stage."""
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def kind(self) -> str:
        """Why it failed; empty where it did not."""
        return self.end.kind if isinstance(self.end, JobFailed) else ""

    @property
    def message(self) -> str:
        """The sentence it failed with."""
        return self.end.message if isinstance(self.end, JobFailed) else ""

    @property
    def is_done(self) -> bool:
        """Whether it came to a good end."""
        return isinstance(self.end, JobDone)


class Served:
    """A worker process and the client's session with it."""

    def __init__(self, *prefix: object, arguments: tuple[str, ...] = SERVE) -> None:
        """Start it; `prefix` is a command that starts the worker under a limit, such as prlimit."""
        command = [*map(str, prefix), sys.executable, *arguments]
        self.session = WorkerSession(WorkerProcess(Path(command[0]), ROOT, arguments=command[1:]))

    @property
    def pid(self) -> int:
        """Of the worker."""
        assert self.session.process.pid is not None
        return self.session.process.pid

    def run(self, folder: Path, on_event: Callable[[Event], None] = lambda event: None, limit: float = LIMIT) -> Told:
        """Run a job folder to its end, passing on what it tells. Raises Hang after `limit` [s]."""
        started_at = time.monotonic()
        self.session.submit(folder)
        told = Told(JobNote("", ""))
        while time.monotonic() - started_at < limit:
            for event in self.session.poll():
                if isinstance(event, JobProgress):
                    told.stage = event.stage
                    told.began.setdefault(event.stage, event.step)
                    told.reached[event.stage] = event.step
                elif isinstance(event, JobNote):
                    told.notes.append(event.text)
                on_event(event)
                if isinstance(event, TERMINAL_EVENTS):
                    told.end, told.seconds = event, time.monotonic() - started_at
                    return told
            time.sleep(0.005)
        raise Hang(f"{folder}: no end within {limit:g} s, last in {told.stage!r}; {self.session.process.stderr_lines}")

    def close(self) -> None:
        """End the worker."""
        self.session.close()

    def __enter__(self) -> "Served":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True)
class Undisturbed:
    """A job, and what it makes where nothing goes wrong."""

    pristine: Path
    """The job folder, not run."""
    finished: Path
    """Another one of it, run."""
    frames: dict[str, str]
    """See `kills.frames_of`."""
    began: tuple[str, ...]
    """Its stages."""

    def copy(self, place: Path) -> Path:
        """A fresh folder of the job, in place of what is there."""
        shutil.rmtree(place, ignore_errors=True)
        return Path(shutil.copytree(self.pristine, place))

    def lost(self, folder: Path) -> int:
        """Frames of a finished job that are not the ones of the undisturbed job."""
        found = frames_of(folder)
        return sum(found.get(name) != digest for name, digest in self.frames.items())

    def complaint(self, folder: Path) -> str:
        """What is wrong with the folder of a job that has failed; empty where nothing."""
        if wrong := [name for name, digest in frames_of(folder).items() if self.frames.get(name) != digest]:
            return f"{wrong} are no finished frames"
        if left := [path.name for path in folder.rglob(".*") if path.is_file()]:
            return f"{left} are left"
        return "" if is_free(folder) else "the lock is still held"


def modified(folder: Path) -> dict[str, int]:
    """When each frame in a folder was written [ns]."""
    return {name: (folder / name).stat().st_mtime_ns for name in frames_of(folder)}


def is_sentence(message: str) -> bool:
    """Whether a message is one line of reason and remedy, as people are to read it."""
    return "\n" not in message and ("; " in message) and "Traceback" not in message and len(message) < 600


def check_rest(told: Told, rest: Told, job_dir: Path, undisturbed: Undisturbed, before: dict[str, int]) -> None:
    """The job came to the same bits, and computed nothing again that was finished."""
    assert rest.is_done and undisturbed.lost(job_dir) == 0, rest
    assert {name: modified(job_dir)[name] for name in before} == before, "finished frames were made again"
    assert rest.began.get("denoise", LIMIT) >= told.reached.get("denoise", 0), "steps were made again"


@pytest.fixture(scope="session")
def healthy() -> Iterator[Served]:
    """A worker that nothing is done to: the one that goes on with a job whose worker is no more."""
    with Served() as worker:
        yield worker


@pytest.fixture(scope="module")
def worker() -> Iterator[Served]:
    """One that serves all of what a file tries."""
    with Served() as served:
        yield served


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, tiny_model: str, healthy: Served) -> Undisturbed:
    """A small job with everything a job may have: independent frames, pictures, deflickering, two controls."""
    root = tmp_path_factory.mktemp("undisturbed")
    write_job_folder(root / "pristine", model=tiny_model, frames=FRAMES, steps=4, baseline=True)
    (root / "pristine" / "pictures").mkdir()
    folder = Path(shutil.copytree(root / "pristine", root / "job"))
    told = healthy.run(folder)
    assert told.is_done, told
    frames = frames_of(folder)
    assert len(frames) == 2 * FRAMES + 1  # the results, the independent frames, and the sheet that compares them
    return Undisturbed(root / "pristine", folder, frames, tuple(told.began))
