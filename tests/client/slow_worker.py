"""A worker with the real server and the real command line; only its jobs are made up, so that they need no torch.

    python slow_worker.py serve
    python slow_worker.py run JOB [--json | --events FILE]

The name of the job folder, or of the output folder of a deflickering, says what the job does, see `JOBS`.
"""

import ctypes
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from diffsynth_blender.protocol import (
    BadJobError,
    DeflickerFrames,
    Event,
    FrameDone,
    JobCancelledError,
    JobProgress,
)
from diffsynth_blender.worker.__main__ import take_stdin, take_stdout
from diffsynth_blender.worker.cli import run
from diffsynth_blender.worker.server import end_with_parent, serve

STEP_SECONDS = 0.25
STEP_COUNT = 1000


class OutOfMemoryError(RuntimeError):
    """Named like torch's."""


def steps(job_dir: Path, on_event: Callable[[Event], None], is_cancelled: Callable[[], bool]) -> None:
    """Write the start time of each step, and stop when asked."""
    with (job_dir / "steps.txt").open("a") as file:
        for step in range(STEP_COUNT):
            if is_cancelled():
                raise JobCancelledError(f"{job_dir}: cancelled")
            print(time.monotonic(), file=file, flush=True)
            on_event(JobProgress("", "denoise", step, STEP_COUNT))
            time.sleep(STEP_SECONDS)


def quick(job_dir: Path, on_event: Callable[[Event], None], _: Callable[[], bool]) -> None:
    """Finish a hundred frames at once, with a progress each."""
    for frame in range(100):
        on_event(JobProgress("", "write", frame, 100, frame))
        on_event(FrameDone("", frame, str(job_dir / f"{frame:04d}.png")))
    on_event(JobProgress("", "write", 100, 100))


def stuck(_: Path, on_event: Callable[[Event], None], __: Callable[[], bool]) -> None:
    """Never look at the wish to cancel."""
    on_event(JobProgress("", "load", 0, 1))
    while True:
        time.sleep(0.05)


def noise(_: Path, __: Callable[[Event], None], ___: Callable[[], bool]) -> None:
    """Write to stdout in each way there is."""
    print("noise from print")
    sys.stdout.flush()
    os.write(1, b"noise from a file descriptor\n")
    library = ctypes.CDLL(None)
    library.puts(b"noise from C")
    library.fflush(None)


def bug(_: Path, __: Callable[[Event], None], ___: Callable[[], bool]) -> None:
    """Raise what no job should."""
    raise KeyError("two\nlines")


def leave(_: Path, __: Callable[[Event], None], ___: Callable[[], bool]) -> None:
    """Try to end the process, as some libraries do."""
    sys.exit(7)


def bad(job_dir: Path, _: Callable[[Event], None], __: Callable[[], bool]) -> None:
    """Find the job wrong."""
    raise BadJobError(f"{job_dir / 'job.json'}: settings.steps must be an integer")


def memory(_: Path, __: Callable[[Event], None], ___: Callable[[], bool]) -> None:
    """Run out of memory the way torch does."""
    raise OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")


def crash(_: Path, on_event: Callable[[Event], None], __: Callable[[], bool]) -> None:
    """Die the way a broken driver makes a process die."""
    on_event(FrameDone("", 1, "0001.png"))
    print("driver: last words", file=sys.stderr, flush=True)
    os.abort()


JOBS = {job.__name__: job for job in (steps, quick, stuck, noise, bug, leave, bad, memory, crash)}


def run_made_up_job(
    job_dir: Path,
    frames: tuple[int, int] | None,
    on_event: Callable[[Event], None],
    is_cancelled: Callable[[], bool],
) -> None:
    """Do what the folder's name says."""
    JOBS[job_dir.name](job_dir, on_event, is_cancelled)


def run_made_up_deflicker(
    request: DeflickerFrames, on_event: Callable[[Event], None], is_cancelled: Callable[[], bool]
) -> None:
    """Do what the output folder's name says."""
    JOBS[Path(request.output_dir).name](Path(request.output_dir), on_event, is_cancelled)


if __name__ == "__main__":
    stdout = take_stdout()
    if sys.argv[1] == "serve":
        end_with_parent()
        sys.exit(serve(take_stdin(), stdout, run_job=run_made_up_job, run_deflicker=run_made_up_deflicker))
    events_file = Path(sys.argv[sys.argv.index("--events") + 1]) if "--events" in sys.argv else None
    events_out = stdout if "--json" in sys.argv else None
    sys.exit(run(Path(sys.argv[2]), events_out=events_out, events_file=events_file, run_job=run_made_up_job))
