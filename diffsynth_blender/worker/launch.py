"""From a request to the job runner. What can be refused cheaply is refused here, before anything heavy is imported."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from ..protocol.errors import BadJobError, PackageMissingError
from ..protocol.job import JOB_FILE, Job, load_job
from ..protocol.job_folder import check_folder
from ..protocol.messages import DeflickerFrames, Event
from .deflicker_plan import make_plan

FrameRange: TypeAlias = tuple[int, int]
RunJobFunction: TypeAlias = Callable[[Path, FrameRange | None, Callable[[Event], None], Callable[[], bool]], None]
"""Arguments: job folder, first and last frame or None, where events go, whether to stop. Raises `DiffSynthError`."""
DeflickerFunction: TypeAlias = Callable[[DeflickerFrames, Callable[[Event], None], Callable[[], bool]], None]
"""Arguments: what to make steady, where events go, whether to stop. Raises `DiffSynthError`."""


def run_job(
    job_dir: Path,
    frames: FrameRange | None,
    on_event: Callable[[Event], None],
    is_cancelled: Callable[[], bool],
    *,
    change: Callable[[Job], Job] | None = None,
) -> None:
    """Run or resume a job folder with the real job runner; where there is a `change`, of the job with that saved.

    Raises:
        BadJobError: The job file is wrong or has none of the frames asked for, or the folder leads out of itself.
        PackageMissingError: This Python lacks one of the worker's packages.
        DiffSynthError: Whatever ends the job.
    """
    job = load_job(job_dir)
    check_folder(job_dir)
    if change is not None:
        job = change(job)
    if frames is not None and not any(frames[0] <= frame <= frames[1] for frame in job.shot.frames):
        first, last = job.shot.frames[0], job.shot.frames[-1]
        raise BadJobError(
            f"{job_dir / JOB_FILE}: has no frame from {frames[0]} to {frames[1]}; ask for some of {first} to {last}"
        )
    with _packages():
        from .job import run_job as run

        run(job_dir, frames=frames, on_event=on_event, is_cancelled=is_cancelled, change=change)


def run_deflicker(
    request: DeflickerFrames, on_event: Callable[[Event], None], is_cancelled: Callable[[], bool]
) -> None:
    """Make frames steady, or go on with it.

    Raises:
        BadJobError: The folders do not fit together, or hold something that cannot be used.
        PackageMissingError: This Python lacks one of the worker's packages.
        DiffSynthError: Whatever ends the job.
    """
    plan = make_plan(request)
    with _packages():
        from .deflicker import run_plan

        run_plan(plan, on_event=on_event, is_cancelled=is_cancelled)


@contextmanager
def _packages() -> Iterator[None]:
    """Name the package that a failing import has not found."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise PackageMissingError(
            f"{sys.executable}: has no package {error.name!r}; install the worker's requirements into it"
        ) from error
