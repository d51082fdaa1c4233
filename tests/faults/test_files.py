"""Folders that become read-only or vanish while a job runs, permissions that are missing, and a slow disk."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from diffsynth_blender.protocol import Event, JobProgress
from diffsynth_blender.protocol.errors import BadJobError
from tests.faults.disks import bind, slow_disk
from tests.faults.limits import as_anybody
from tests.faults.served import LIMIT, Served, check_rest, is_sentence, modified
from tests.faults.worker_process import is_running, wait_until


@pytest.fixture(scope="module")
def anybody() -> Iterator[Served]:
    """A worker for which permissions count; it outlives every fault of this module that is mended."""
    with Served(*as_anybody()) as worker:
        yield worker


@contextmanager
def unwritable(job_dir: Path) -> Iterator[None]:
    """Take the permission to write results."""
    (job_dir / "output").chmod(0o555)
    yield
    (job_dir / "output").chmod(0o755)


@contextmanager
def read_only(job_dir: Path) -> Iterator[None]:
    """Have the disk with the results become read-only, as one that has failed does."""
    with bind(job_dir / "output", read_only=True):
        yield


def away(name: str) -> Callable[[Path], AbstractContextManager[None]]:
    """Move something of the job folder away, or the folder itself, and back."""

    @contextmanager
    def moved(job_dir: Path) -> Iterator[None]:
        place = job_dir / name
        place.rename(job_dir.parent / "elsewhere")
        yield
        (job_dir.parent / "elsewhere").rename(place)

    return moved


FAULTS = {
    "results may not be written": (unwritable, "give permission"),
    "disk becomes read-only": (read_only, "give permission"),
    "output folder vanishes": (away("output"), "see that the disk and the folder are there"),
    "job folder vanishes": (away("."), "bring the disk or folder back"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_folder_that_fails_under_a_job(fault, anybody, undisturbed, tally, tmp_path):
    """The job says which place it was and what to do; once it is mended the same worker goes on to the same bits."""
    break_it, remedy = FAULTS[fault]
    job_dir = undisturbed.copy(tmp_path / "job")
    if break_it is read_only:
        with bind(job_dir):  # skips now, where it may not be
            pass
    broken: list[AbstractContextManager[None]] = []

    def listen(event) -> None:
        if isinstance(event, JobProgress) and event.stage == "denoise" and not broken:
            broken.append(break_it(job_dir))
            broken[0].__enter__()

    told = anybody.run(job_dir, listen)
    broken[0].__exit__(None, None, None)
    complaint, before = undisturbed.complaint(job_dir), modified(job_dir)
    rest = anybody.run(job_dir)
    lost = undisturbed.lost(job_dir)
    tally.record(fault, recovered=told.kind == "storage" and rest.is_done, lost_frames=lost)
    assert told.kind == "storage" and is_sentence(told.message), told
    assert str(job_dir) in told.message and remedy in told.message
    assert not complaint, complaint
    check_rest(told, rest, job_dir, undisturbed, before)


def test_a_disk_that_vanishes(anybody, undisturbed, tally, tmp_path):
    """Unmounted in the middle, as a share whose server is gone: a sentence, and on it goes once it is back."""
    real, job_dir = undisturbed.copy(tmp_path / "real"), tmp_path / "mounted"
    job_dir.mkdir()
    with bind(real, job_dir) as vanish:
        told = anybody.run(job_dir, lambda event: vanish() if getattr(event, "stage", "") == "denoise" else None)
    with bind(real, job_dir):
        before = modified(job_dir)
        rest = anybody.run(job_dir)
        lost = undisturbed.lost(job_dir)
        tally.record("disk vanishes", recovered=told.kind == "storage" and rest.is_done, lost_frames=lost)
        assert told.kind == "storage" and f"{job_dir}: is gone; bring the disk" in told.message, told
        check_rest(told, rest, job_dir, undisturbed, before)


def test_a_cache_that_is_thrown_away(anybody, undisturbed, tally, tmp_path):
    """Removed under a job: it makes it anew or says that it is gone, and the same call comes to the same bits."""
    job_dir = undisturbed.copy(tmp_path / "job")

    def listen(event) -> None:
        if getattr(event, "stage", "") == "denoise" and event.step == 0:
            shutil.rmtree(job_dir / "cache", ignore_errors=True)  # which is written to meanwhile

    told = anybody.run(job_dir, listen)
    before = modified(job_dir)
    rest = anybody.run(job_dir)
    lost = undisturbed.lost(job_dir)
    tally.record("cache thrown away", recovered=rest.is_done and told.kind in ("", "storage"), lost_frames=lost)
    assert told.is_done or (told.kind == "storage" and is_sentence(told.message)), told
    assert rest.is_done and lost == 0 and {name: modified(job_dir)[name] for name in before} == before


def test_no_permission_from_the_start(anybody, undisturbed, tally, tmp_path):
    """A job in a folder that may not be written to cannot be used as it is: said before anything is computed."""
    for place in (".", "output", "cache"):
        job_dir = undisturbed.copy(tmp_path / "job")
        (job_dir / place).mkdir(exist_ok=True)
        (job_dir / place).chmod(0o555)
        told = anybody.run(job_dir)
        (job_dir / place).chmod(0o755)
        tally.record("no permission from the start", recovered=told.kind == BadJobError.kind)
        assert told.kind == BadJobError.kind and is_sentence(told.message) and str(job_dir) in told.message, told
        assert not told.began and not list(job_dir.rglob("*/0001.npy"))
    assert anybody.run(job_dir).is_done and undisturbed.lost(job_dir) == 0


def test_a_slow_disk(anybody, undisturbed, tally, tmp_path):
    """A disk of some kilobytes a second that stands still for seconds in between: late, and the same bits."""
    with slow_disk(tmp_path / "slow", bytes_a_second=400_000) as freeze:
        job_dir = undisturbed.copy(tmp_path / "slow" / "job")
        told = anybody.run(job_dir, lambda event: freeze(3.0) if getattr(event, "stage", "") == "denoise" else None)
        lost = undisturbed.lost(job_dir)
        tally.record("slow disk that stands still", recovered=told.is_done, lost_frames=lost)
        assert told.is_done and lost == 0, told


def test_a_disk_that_keeps_the_worker(undisturbed, healthy, tally, tmp_path):
    """A worker that cannot be ended, as its disk stands still, is let go at once, and ends when the disk is back."""
    with slow_disk(tmp_path / "slow", bytes_a_second=1 << 30) as freeze:
        job_dir = undisturbed.copy(tmp_path / "slow" / "job")
        with Served() as worker:
            worker.session.submit(job_dir)
            events: list[Event] = []
            wait_until(lambda: any(getattr(e, "stage", "") == "denoise" for e in poll(worker, events)), LIMIT)
            freeze(12.0)
            time.sleep(2.0)  # by now it waits for the disk
            started_at = time.monotonic()
            worker.session.close(grace=0.2)
            took = time.monotonic() - started_at
            pid = worker.pid
        wait_until(lambda: not is_running(pid), LIMIT, "the end of the worker")
        rest = healthy.run(job_dir)
        lost = undisturbed.lost(job_dir)
        tally.record("worker kept by its disk", recovered=rest.is_done, lost_frames=lost, hung=took > 8.0)
        assert rest.is_done and lost == 0 and took < 8.0, took


def poll(worker: Served, events: list[Event]) -> list[Event]:
    """All that a worker has told."""
    events += worker.session.poll()
    return events
