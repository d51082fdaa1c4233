"""A disk that takes no more, in every stage: one sentence, nothing half written, the same bits once there is room."""

import random
import subprocess
from itertools import pairwise
from pathlib import Path

from diffsynth_blender.client import DetachedWorker
from diffsynth_blender.protocol import JobFailed
from diffsynth_blender.protocol.traces import events_path
from tests.e2e.conftest import ENVIRONMENT, worker_command
from tests.faults.disks import SmallDisk
from tests.faults.limits import file_size
from tests.faults.served import LIMIT, Served, Told, Undisturbed, check_rest, is_sentence, modified


def check_refusal(told: Told, folder: Path, undisturbed: Undisturbed) -> None:
    """The job failed as it should have: a sentence that names a file of the job, and nothing half is left."""
    assert told.kind == "storage", told
    assert is_sentence(told.message) and "make room" in told.message and str(folder) in told.message, told.message
    assert not (complaint := undisturbed.complaint(folder)), complaint


def test_a_full_disk_in_every_stage(small_disk: SmallDisk, undisturbed, tally, times, fault_seed):
    """Whatever is written when the last byte is gone: one worker meets it again and again, and stays usable."""
    dice, seen = random.Random(fault_seed), set()
    with Served() as worker:
        folder = undisturbed.copy(small_disk.place / "job")
        empty, marks = small_disk.used(), {}
        assert worker.run(
            folder, lambda event: marks.setdefault(getattr(event, "stage", ""), small_disk.used())
        ).is_done
        used = [mark - empty for mark in (*marks.values(), small_disk.used())]
        spans = [span for span in pairwise(used) if span[0] < span[1]]  # of the stages that write anything
        for low, high in spans * times(1, 4):
            undisturbed.copy(folder)
            small_disk.leave(int(low + dice.random() * (high - low)))
            told = worker.run(folder)
            small_disk.widen()
            if told.is_done:
                continue  # a preview that was not due took no room this time
            before = modified(folder)
            rest = worker.run(folder)
            stage = told.stage or "start"
            seen.add(stage)
            lost = undisturbed.lost(folder)
            tally.record(f"disk full: {stage}", recovered=rest.is_done and told.kind == "storage", lost_frames=lost)
            check_refusal(told, folder, undisturbed)
            check_rest(told, rest, folder, undisturbed, before)
    assert {"motion", "write"} <= seen


def test_files_that_may_grow_no_longer(undisturbed, tally, times, fault_seed, tmp_path):
    """The same where nothing can be mounted: every file has a longest size, so the largest are refused first."""
    dice = random.Random(fault_seed)
    with Served() as worker:
        for limit in [dice.randrange(*bounds) for bounds in [(100, 900), (3_000, 9_000), (20_000, 90_000)]] * times(
            1, 4
        ):
            folder = undisturbed.copy(tmp_path / "job")
            with file_size(worker.pid, limit):
                told = worker.run(folder)
            before = modified(folder)
            rest = worker.run(folder)
            lost = undisturbed.lost(folder)
            tally.record("files limited in size", recovered=rest.is_done and told.kind == "storage", lost_frames=lost)
            check_refusal(told, folder, undisturbed)
            check_rest(told, rest, folder, undisturbed, before)


def test_a_full_disk_without_a_host(small_disk, undisturbed, tally):
    """A worker that outlived Blender tells its end in the job's own folder; who comes back learns why it ended."""
    job_dir = undisturbed.copy(small_disk.place / "job")
    command = worker_command("run", job_dir, "--events", events_path(job_dir))
    small_disk.leave(600_000)
    failed = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=LIMIT, check=False)
    told = [event for event in DetachedWorker(job_dir).poll() if isinstance(event, JobFailed)]
    small_disk.widen()
    rest = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=LIMIT, check=False)
    lost = undisturbed.lost(job_dir)
    tally.record("disk full without a host", recovered=rest.returncode == 0 and bool(told), lost_frames=lost)
    assert failed.returncode == 1 and "make room" in failed.stderr.splitlines()[-1], failed.stderr
    assert [event.kind for event in told] == ["storage"]
    assert rest.returncode == 0 and lost == 0, rest.stderr
