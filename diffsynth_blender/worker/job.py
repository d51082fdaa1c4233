"""Run a job folder: independent frames, the shot itself, what is redone of it, and the report.

Whatever is finished is in the journal, with the latents after every denoising step, so the same call on the same
folder goes on where it was stopped, to the same bits.
"""

import hashlib
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ..diffusion.denoise import FRAME_BATCH, JobInterrupted
from ..protocol import (
    JOB_FILE,
    BadJobError,
    Event,
    Job,
    JobCancelledError,
    Journal,
    StorageError,
    baseline_path,
    check_redos,
    load_job,
    output_path,
    save_job,
    settings_hash,
)
from ..protocol.job import CACHE_FOLDER
from ..writing import is_forbidden
from .context import RunContext
from .devices import choose_device, describe_device
from .frame_text import frame_text
from .inputs import at_result_size, run_hash
from .key_frames import restyle_by_keys
from .measure import measure
from .part import Part
from .pictures import write_pictures
from .report import is_reported, versions
from .restyle import Restyling, restyle_apart
from .selection import Selection, select_frames


def run_job(
    job_dir: Path,
    *,
    frames: tuple[int, int] | None,
    on_event: Callable[[Event], None],
    is_cancelled: Callable[[], bool],
    change: Callable[[Job], Job] | None = None,
) -> None:
    """Run or resume the job in `job_dir`.

    Args:
        job_dir: the job folder.
        frames: first and last scene frame to write, or None for all.
        on_event: receives JobProgress, FrameDone and JobNote, with an empty job_id.
        is_cancelled: asked at least once every denoising step.
        change: of the job, saved before it is run, once nobody else is at it.

    Raises:
        DiffSynthError: of the kind that says why; finished frames stay.
    """
    job_dir = Path(job_dir)
    # What cannot be run leaves nothing behind, not even an empty folder.
    select_frames(_load(job_dir, change), frames)
    for folder in (output_path(job_dir, 0).parent, baseline_path(job_dir, 0).parent, job_dir / CACHE_FOLDER):
        _make(folder)
    with Journal(job_dir) as journal:
        # Again: whoever had the lock before may have changed it.
        job = _load(job_dir, change)
        if change is not None:
            save_job(job, job_dir)
        selection = select_frames(job, frames)
        run_id = run_hash(job, job_dir)
        context = RunContext(job_dir, journal, journal.start(run_id), on_event, is_cancelled)
        try:
            JobRun(job, selection, run_id, context).execute()
        except JobInterrupted:
            raise JobCancelledError("cancelled; run the job again to go on") from None
        except (BadJobError, OSError) as error:
            if (job_dir / JOB_FILE).is_file():
                raise
            # Whatever was missed first, it is not that file.
            raise StorageError(f"{job_dir}: is gone; bring the disk or folder back, then run the job again") from error


def _make(folder: Path) -> None:
    """Make a folder of the job, if need be. Raises BadJobError where that, or writing to it, is not permitted."""
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        if not is_forbidden(error):
            raise
        raise BadJobError(f"{folder}: cannot be made: {error.strerror}; make the job folder writable") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise BadJobError(f"{folder}: may not be written to; give permission, then run the job again")


def _load(job_dir: Path, change: Callable[[Job], Job] | None) -> Job:
    """The job as it is to be run. Raises BadJobError."""
    job = load_job(job_dir)
    if change is not None:
        job = change(job)
    check_redos(job)
    return job


class JobRun:
    """One run of a job, from its inputs to its report."""

    def __init__(self, job: Job, selection: Selection, run_id: str, context: RunContext) -> None:
        self._job = job
        self._selection = selection
        self._run_id = run_id
        self._context = context
        self._device = choose_device(job.settings.device)
        self._redo_ids = redo_ids(job, run_id)

    def execute(self) -> None:
        """Do what is left to do."""
        part = self._part(self._job, self._selection.computed)
        self._context.text = frame_text(self._run_id, versions(self._job.shot.blender), self._job.settings)
        write_pictures(part, self._selection.written)
        if self._job.settings.baseline:
            self._make_baseline(part)
        restyled = self._restyle(part)
        written = set(self._selection.written)
        if not all(frame in written or self._is_finished(frame, None) for frame in self._job.shot.frames):
            return
        # Each loads a model of its own; the one before is not needed any more.
        del part
        redone = [self._redo(number) for number in range(len(self._job.redos))]
        if restyled or any(redone) or not self._context.state.done or not is_reported(self._context.job_dir):
            self._report()

    def _part(self, job: Job, frames: tuple[int, ...]) -> Part:
        return Part(at_result_size(job), frames, self._context, self._device)

    def _restyle(self, part: Part) -> bool:
        """Make the frames of the shot that are left; False where none is."""
        makers = {self._run_id, *self._redo_ids}
        covered = {f for redo in self._job.redos for f in self._job.shot.frames if redo.first <= f <= redo.last}
        # What will be redone may come from an earlier version of its redo: its neighbours are what counts.
        todo = [f for f in self._selection.written if not self._is_finished(f, None if f in covered else makers)]
        if not todo:
            return False
        if self._selection.keys is None:
            pictures = Restyling(part, range(len(part.frames)), name=self._selection.name).pictures()
        else:
            pictures = restyle_by_keys(
                part,
                part.places(self._selection.keys),
                wanted=part.places(todo),
                finished=[i for i, frame in enumerate(part.frames) if self._is_finished(frame, {self._run_id})],
                name=self._selection.name,
            )
        self._finish(part, pictures, todo)
        return True

    def _redo(self, number: int) -> bool:
        """Restyle a range again, where that is not done. Its neighbours are finished, and stay as they are."""
        redo, redo_id = self._job.redos[number], self._redo_ids[number]
        asked = [frame for frame in self._job.shot.frames if redo.first <= frame <= redo.last]
        # A later redo of the same frame counts as well: it is what will be seen.
        todo = [frame for frame in asked if not self._is_finished(frame, self._redo_ids[number:])]
        if not todo:
            return False
        job = replace(self._job, settings=redo.settings)
        part = self._part(job, select_frames(job, (redo.first, redo.last)).computed)
        finished = {i: partial(part.read_output, i) for i, frame in enumerate(part.frames) if frame not in asked}
        self._context.journal.redo(redo_id)
        self._context.text = frame_text(redo_id, versions(self._job.shot.blender), redo.settings)
        name = f"redo-{redo_id[:12]}"
        restyling = Restyling(part, range(len(part.frames)), name=name, finished=finished, stage="redo")
        self._finish(part, restyling.pictures(), todo)
        return True

    def _finish(self, part: Part, pictures: Iterator[tuple[int, np.ndarray]], todo: Sequence[int]) -> None:
        """Write the pictures of the frames that are left."""
        done = 0
        for index, picture in pictures:
            self._context.stop_if_cancelled()
            frame = part.frames[index]
            if frame in todo:
                self._context.finish_output(frame, part.keep_rest(index, picture))
                done += 1
                self._context.progress("write", done, len(todo), frame)

    def _make_baseline(self, part: Part) -> None:
        """Independent frames of the same model: noise of their own, no neighbours."""
        folder = self._context.job_dir
        todo = [f for f in self._selection.written if not self._context.is_finished(baseline_path(folder, f))]
        for first in range(0, len(todo), FRAME_BATCH):
            group = todo[first : first + FRAME_BATCH]
            self._context.progress("baseline", first, len(todo))
            with self._context.watch.part("baseline"):
                pictures = restyle_apart(part, part.places(group))
            for frame, picture in zip(group, pictures, strict=True):
                self._context.finish(baseline_path(folder, frame), frame, picture)
            self._context.progress("baseline", first + len(group), len(todo), group[-1])

    def _report(self) -> None:
        """Measure, report, and close the journal's account."""
        shot = self._job.shot
        part = self._part(self._job, shot.frames)
        measure(
            part.job,
            self._context.job_dir,
            part.exact_motion(range(len(shot.frames))),
            device=describe_device(self._device),
            run_id=self._run_id,
            seconds={"render": shot.render_seconds, **self._context.watch.seconds},
            notes=self._context.notes,
        )
        self._context.journal.done()

    def _is_finished(self, frame: int, makers: Collection[str] | None) -> bool:
        return self._context.is_finished(output_path(self._context.job_dir, frame), makers)


def redo_ids(job: Job, run_id: str) -> list[str]:
    """Hash of all that decides each redo: the run, the redos before it, its range and settings."""
    found, last = [], run_id
    for redo in job.redos:
        settings = settings_hash(replace(job, settings=redo.settings))
        last = hashlib.sha256(f"{last} {redo.first} {redo.last} {settings}".encode()).hexdigest()
        found.append(last)
    return found
