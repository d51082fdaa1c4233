"""A system that grants no more files or threads: the job does with those it has, or ends in a sentence."""

import os
import random
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from tests.faults.limits import Group, group
from tests.faults.served import Served, Told, Undisturbed, check_rest, is_sentence, modified

REFUSALS = ("storage", "system_limit", "out_of_memory", "worker_died")
"""How a job may end that the system refuses something."""


def handles(pid: int) -> int:
    """The number that the next file of a process will get, or less."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_no_more_files(undisturbed, healthy, tally, times, fault_seed, tmp_path):
    """From some moment on hardly a file more may be open, be it one that is read, written, or a library."""
    dice = random.Random(fault_seed)
    for _ in range(times(1, 6)):
        job_dir, stage, room = undisturbed.copy(tmp_path / "job"), dice.choice(undisturbed.began), dice.randrange(3)
        with Served() as worker:

            def listen(event, pid=worker.pid, stage=stage, room=room) -> None:
                if getattr(event, "stage", "") == stage:
                    limit = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
                    resource.prlimit(pid, resource.RLIMIT_NOFILE, (handles(pid) + room, limit))

            told = worker.run(job_dir, listen)
        check_refused("too many open files", told, healthy, job_dir, undisturbed, tally)


@contextmanager
def processes(worker: Served, made: Group | None, room: int) -> Iterator[None]:
    """Grant a worker only so many threads and processes more than it has."""
    if made is not None:
        made.set("pids.max", int(made.get("pids.current")) + room)
        yield
        made.set("pids.max", "max")
        return
    own = subprocess.run(["ps", "-L", "-u", str(os.getuid()), "--no-headers"], capture_output=True, check=True)
    before = resource.prlimit(worker.pid, resource.RLIMIT_NPROC)
    resource.prlimit(worker.pid, resource.RLIMIT_NPROC, (len(own.stdout.splitlines()) + room, before[1]))
    yield


def test_no_more_threads(undisturbed, healthy, tally, times, fault_seed, tmp_path):
    """A new worker gets hardly a thread: it does with those, or ends in a sentence."""
    dice = random.Random(fault_seed)
    for _ in range(times(1, 4)):
        job_dir, room = undisturbed.copy(tmp_path / "job"), dice.randrange(0, 4)
        # The limit that anybody has counts for nobody who is root; a control group's does.
        with group("pids") if os.geteuid() == 0 else nullcontext() as made:
            with Served(*(made.prefix() if made else ())) as worker:
                while worker.session.ready is None:
                    worker.session.poll()
                with processes(worker, made, room):
                    told = worker.run(job_dir)
        check_refused("too many threads", told, healthy, job_dir, undisturbed, tally)


def check_refused(fault: str, told: Told, healthy: Served, job_dir: Path, undisturbed: Undisturbed, tally) -> None:
    """Done all the same or refused in a sentence; then a new worker without limits comes to the same bits."""
    complaint, before = undisturbed.complaint(job_dir), modified(job_dir)
    rest = healthy.run(job_dir)
    lost = undisturbed.lost(job_dir)
    tally.record(fault, recovered=(told.is_done or told.kind in REFUSALS) and rest.is_done, lost_frames=lost)
    assert told.is_done or (told.kind in REFUSALS and is_sentence(told.message)), told
    assert not complaint, complaint
    check_rest(told, rest, job_dir, undisturbed, before)
