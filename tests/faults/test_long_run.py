"""A worker that runs for long: one job of many frames, and many jobs in one process; nothing in it may grow.

Looked at from outside, in /proc: what is resident, open and running. Growth is told by halves, the first of which is
the warm-up: what the second half holds at most, against what the first did.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from diffsynth_blender.protocol import Deflicker, Event, JobProgress
from tests.e2e.job_folder import write_job_folder
from tests.faults.served import Served
from tests.faults.truth import frames_of
from tests.reference.scene import demo_scene

SECONDS = 0.2  # between two looks
SHARE = 0.03  # of what is resident: how much the second half may hold more than the first, or grow by its slope
BY_FRAME = ("passes", "motion", "denoise", "write")
"""Stages that do the same for every frame."""
LEAST = 4 << 20  # bytes: an allocator gives whole blocks back, or does not


@dataclass(frozen=True)
class Look:
    """A process at a moment."""

    stage: str
    resident: int
    """Bytes."""
    handles: int
    threads: int


def look(pid: int, stage: str = "") -> Look:
    """Look at a process."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    handles = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return Look(stage, int(status["VmRSS"].split()[0]) << 10, handles, int(status["Threads"]))


@contextmanager
def watched(pid: int) -> Iterator[tuple[list[Look], Callable[[Event], None]]]:
    """Look at a process again and again; yields the looks, and a listener that learns which stage its job is in."""
    looks: list[Look] = []
    stage, is_over = [""], threading.Event()

    def listen(event: Event) -> None:
        if isinstance(event, JobProgress):
            stage[0] = event.stage

    def watch() -> None:
        while not is_over.wait(SECONDS):
            looks.append(look(pid, stage[0]))

    watcher = threading.Thread(target=watch, name="watch a worker")
    watcher.start()
    try:
        yield looks, listen
    finally:
        is_over.set()
        watcher.join()


def check_flat(looks: list[Look], what: str) -> float:
    """Assert that the second half holds no more than the first; returns how much is resident more, as a share."""
    first, second = looks[: len(looks) // 2], looks[len(looks) // 2 :]
    for name in ("handles", "threads"):  # the median: a file that is written is open for a moment
        many = np.median([getattr(look, name) for look in second])
        assert many <= max(getattr(look, name) for look in first), f"{what}: {many:g} {name} are open"
    resident = np.array([look.resident for look in second], float)
    slope = np.polyfit(np.arange(len(resident)), resident, 1)[0] if len(resident) > 2 else 0.0
    growth = max(slope * len(resident), resident.max() - max(look.resident for look in first))
    assert growth <= SHARE * resident.mean() + LEAST, f"{what}: {growth / 2**20:.1f} MB more are resident"
    return growth / resident.mean()


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the workers of a test put temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def files_in(folder: Path) -> list[Path]:
    """Files at any depth: an empty folder is no litter, PyTorch makes one for compiled kernels."""
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_job_of_many_frames(tiny_model, tally, times, tmp_path, temporary):
    """In each stage of a long job the second half needs no more than the first, and at the end nothing is left over."""
    count, folder = times(60, 1000), tmp_path / "job"
    small = {"scene": demo_scene(32, 24), "steps": 3, "deflicker": Deflicker(window=1), "batch": 8}
    write_job_folder(folder, frames=count, model=tiny_model, **small)
    with Served() as worker, watched(worker.pid) as (looks, listen):
        told = worker.run(folder, listen, limit=120.0 + 3.0 * count)
    stages = {name: [look for look in looks if look.stage == name] for name in {look.stage for look in looks}}
    for stage, seen in sorted(stages.items()):
        print(f"{stage}: {len(seen)} looks", end="")
        for name in ("resident", "handles", "threads"):
            values = [getattr(look, name) for look in seen]
            half = len(values) // 2
            print(f"; {name} at most {max(values[: half + 1])}, then {max(values[half:])}", end="")
        print()
    made, left = len(frames_of(folder)), [*folder.rglob(".*"), *files_in(temporary)]
    tally.record(f"a job of {count} frames", recovered=told.is_done and not left, lost_frames=count - made)
    assert told.is_done and made == count
    assert len(list(folder.glob("cache/latents-*"))) == 1 and not left, left
    for stage, seen in stages.items():
        if stage in BY_FRAME and len(seen) >= 10:
            check_flat(seen, stage)


def test_many_jobs_in_one_worker(undisturbed, tally, times, tmp_path, temporary):
    """Job after job the same worker comes back to the same size, and makes the same frames."""
    count, looks, lost = times(6, 50), [], 0
    with Served() as worker:
        for number in range(count):
            folder = undisturbed.copy(tmp_path / f"job-{number % 2}")
            assert worker.run(folder).is_done
            lost += undisturbed.lost(folder)
            looks.append(look(worker.pid))
    left = files_in(temporary)
    print(f"{count} jobs: {[look.resident >> 20 for look in looks]} MB resident,", end=" ")
    print(f"{[look.handles for look in looks]} handles, {[look.threads for look in looks]} threads")
    tally.record(f"{count} jobs in one worker", recovered=not left, lost_frames=lost)
    assert lost == 0 and not left, left
    check_flat(looks, "after each job")
