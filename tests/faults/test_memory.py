"""No memory left, on the device and in the computer: less is done at a time, then a sentence; the job goes on later."""

import os
import random
import resource
import signal
from pathlib import Path

import numpy as np
from PIL import Image

from diffsynth_blender.protocol import JobProgress
from diffsynth_blender.protocol.errors import WorkerDiedError, WorkerMemoryError
from tests.faults.limits import group
from tests.faults.served import Served, is_sentence, modified
from tests.faults.worker_process import wait_until

FAILING = ("-m", "tests.faults.failing_device")
STEP_DOWN = "out of memory: from now on"
ROOM = 40_000  # bytes that a convolution's result may take: no frame's does
FEW = 2  # frames whose results fit together: half of the job's


def ended(worker: Served) -> str:
    """How a worker has ended that told of no memory, which it does by itself: libraries may not forget that."""
    wait_until(lambda: not worker.session.process.is_alive(), 60.0, "the end of the worker")
    return worker.session.process.exit_reason()


def test_less_is_done_at_a_time(undisturbed, healthy, tally, tmp_path):
    """A card too small: every smaller way is tried and told before the job gives up; another worker goes on."""
    job_dir = undisturbed.copy(tmp_path / "job")
    with Served(arguments=(*FAILING, "memory", str(ROOM), "serve")) as worker:
        told = worker.run(job_dir)
        reason = ended(worker)
    complaint = undisturbed.complaint(job_dir)
    rest = healthy.run(job_dir)
    steps_down = [note for note in told.notes if note.startswith(STEP_DOWN)]
    lost = undisturbed.lost(job_dir)
    tally.record("card without memory", recovered=told.kind == "out_of_memory" and rest.is_done, lost_frames=lost)
    assert told.kind == "out_of_memory" and is_sentence(told.message) and "smaller picture" in told.message, told
    assert len(steps_down) >= 2 and not complaint, (steps_down, complaint)
    assert reason == f"exit code {WorkerMemoryError.exit_code}"
    assert rest.is_done and lost == 0


def test_fewer_frames_fit(undisturbed, tally, tmp_path):
    """A card with memory for some frames: so many go together, which is told, and the job comes to its end with them.

    The frames are those of a larger card but for rounding: other numbers of frames are added up in another order. With
    more memory the same worker makes the very same ones.
    """
    job_dir = undisturbed.copy(tmp_path / "job")
    with Served(arguments=(*FAILING, "frames", str(FEW), "serve")) as worker:
        told = worker.run(job_dir)
        lost = [name for name in undisturbed.frames if not (job_dir / name).is_file()]
        apart = [] if lost else [distance(job_dir / name, undisturbed.finished / name) for name in undisturbed.frames]
        os.kill(worker.pid, signal.SIGUSR1)
        rest = worker.run(undisturbed.copy(job_dir))
    tally.record("card with memory for fewer frames", recovered=told.is_done and rest.is_done, lost_frames=len(lost))
    steps_down = [note for note in told.notes if note.startswith(STEP_DOWN)]
    assert told.is_done and not lost, told
    assert any(f"frames through the model {FEW} at a time" in note for note in steps_down), told.notes
    assert max(apart) <= 0.25, apart
    assert rest.is_done and undisturbed.lost(job_dir) == 0


def distance(first: Path, second: Path) -> float:
    """How much two pictures differ, of 255, on average: single pixels follow another match where two are as good."""
    one, other = (np.asarray(Image.open(path), np.int16) for path in (first, second))
    return float(np.abs(one - other).mean())


def mapped(pid: int) -> int:
    """Bytes of a process's address space."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()


def test_a_computer_without_memory(undisturbed, tally, times, fault_seed, tmp_path):
    """From some moment on nothing more may be mapped: the job ends well or in a sentence, and goes on once it may."""
    dice = random.Random(fault_seed)
    stages = [dice.choice(undisturbed.began) for _ in range(times(1, 8))]
    worker = Served()
    try:
        for stage in stages:
            folder = undisturbed.copy(tmp_path / "job")
            room = dice.choice([0, 1 << 20, 8 << 20, 64 << 20])

            def limit(event, stage=stage, room=room, pid=worker.pid):
                if isinstance(event, JobProgress) and event.stage == stage:
                    resource.prlimit(pid, resource.RLIMIT_AS, (mapped(pid) + room, resource.RLIM_INFINITY))

            told = worker.run(folder, limit)
            complaint, before = undisturbed.complaint(folder), modified(folder)
            if told.kind in (WorkerMemoryError.kind, WorkerDiedError.kind):
                ended(worker)  # also without memory
                worker.close()
                worker = Served()
            else:
                free = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
                resource.prlimit(worker.pid, resource.RLIMIT_AS, free)
            rest = worker.run(folder)
            lost = undisturbed.lost(folder)
            tally.record(
                "computer without memory",
                recovered=(told.is_done or told.kind in ("out_of_memory", "system_limit", "worker_died"))
                and rest.is_done,
                lost_frames=lost,
            )
            assert told.is_done or told.kind in ("out_of_memory", "system_limit", "worker_died"), told
            assert told.is_done or is_sentence(told.message), told
            assert not complaint, complaint
            assert rest.is_done and lost == 0
            assert {name: modified(folder)[name] for name in before} == before
    finally:
        worker.close()


def test_the_kernel_ends_the_worker(undisturbed, healthy, tally, times, fault_seed, tmp_path):
    """In a control group with too little memory: Blender is told who did it, and another worker goes on."""
    dice = random.Random(fault_seed)
    for _ in range(times(1, 4)):
        folder = undisturbed.copy(tmp_path / "job")
        with group("memory") as memory:
            memory.set("memory.limit_in_bytes", dice.randrange(60 << 20, 160 << 20))
            with Served(*memory.prefix()) as worker:
                told = worker.run(folder)
            killed = "oom_kill " in memory.get("memory.oom_control")
        complaint, before = undisturbed.complaint(folder), modified(folder)
        rest = healthy.run(folder)
        lost = undisturbed.lost(folder)
        tally.record(
            "ended by the kernel for memory", recovered=told.kind == "worker_died" and rest.is_done, lost_frames=lost
        )
        assert told.kind == "worker_died" and "killed by SIGKILL; the system may have run out of memory" in told.message
        assert killed and not complaint, complaint
        assert rest.is_done and lost == 0
        assert {name: modified(folder)[name] for name in before} == before
