"""Run a deflickering: frames in, steady frames out, without a diffusion model and without torch.

    check → deflicker → measure

Streams: one window of frames is in memory, however long the clip is. The journal in the output folder says what is
finished, so that the same call goes on where it was stopped, to the same bits.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from ..protocol import (
    REPORT_FILE,
    Event,
    FrameDone,
    JobCancelledError,
    JobProgress,
    Journal,
    StorageError,
)
from .deflicker_engine import choose_device, compute, describe_device, span_to_compute
from .deflicker_frames import FrameFiles, inputs_hash
from .deflicker_plan import DeflickerPlan
from .deflicker_report import DeflickerReport, DeflickerTemporal, measure_sharpness, measure_temporal, versions
from .frame_text import frame_text
from .report import Stopwatch, is_reported
from .shot_motion import clip_of


def run_plan(plan: DeflickerPlan, *, on_event: Callable[[Event], None], is_cancelled: Callable[[], bool]) -> None:
    """Run or resume a deflickering.

    Args:
        plan: what to make steady, from what, into which folder.
        on_event: receives JobProgress and FrameDone, with an empty job_id.
        is_cancelled: asked at least once every frame that is read.

    Raises:
        DiffSynthError: of the kind that says why; finished frames stay.
    """
    device = choose_device(plan.device)

    def stop_if_cancelled() -> None:
        if is_cancelled():
            raise JobCancelledError("cancelled; run the same again to go on")

    frames = FrameFiles(plan, stop_if_cancelled)
    try:
        plan.output_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{plan.output_dir}: cannot be made: {error.strerror}; choose another folder") from None
    with Journal(plan.output_dir) as journal:
        _Run(plan, frames, device, journal, on_event, stop_if_cancelled).execute()


class _Run:
    def __init__(
        self,
        plan: DeflickerPlan,
        frames: FrameFiles,
        device: str,
        journal: Journal,
        on_event: Callable[[Event], None],
        stop_if_cancelled: Callable[[], None],
    ) -> None:
        self._plan = plan
        self._frames = frames
        self._device = device
        self._journal = journal
        self._on_event = on_event
        self._stop_if_cancelled = stop_if_cancelled
        self._watch = Stopwatch()

    def execute(self) -> None:
        """Do what is left to do."""
        plan = self._plan
        self._progress("check", 0, len(plan.frames))
        with self._watch.part("check"):
            run_id = inputs_hash(plan, lambda done, count, frame: self._progress("check", done, count, frame))
        self._drop_other_results(run_id)
        state = self._journal.start(run_id)
        todo = [frame for frame in plan.frames if not state.is_finished(plan.result(frame))]
        if todo:
            (plan.output_dir / REPORT_FILE).unlink(missing_ok=True)  # it tells of frames that are about to change
            self._write(todo, frame_text(run_id, versions()))
        if todo or not state.done or not is_reported(plan.output_dir):
            self._report(run_id)
            self._journal.done()

    def _drop_other_results(self, run_id: str) -> None:
        """Remove frames of an earlier run with other inputs that this one has not: no strip may mix the two."""
        before = self._journal.before
        if before.settings_hash != run_id:
            own = {self._plan.result(frame) for frame in self._plan.frames}
            for path in before.files.keys() - own:
                path.unlink(missing_ok=True)

    def _write(self, todo: list[int], text: Mapping[str, str]) -> None:
        wanted = set(todo)
        self._progress("deflicker", 0, len(todo))
        results = compute(self._plan, self._frames, span_to_compute(self._plan, todo), self._device)
        done = 0
        while done < len(todo):
            with self._watch.part("deflicker"):
                frame, pixels = next(results)
            self._stop_if_cancelled()
            if frame not in wanted:
                continue
            with self._watch.part("write"):
                path = self._finish(frame, pixels, text)
            done += 1
            self._on_event(FrameDone("", frame, str(path)))
            self._progress("deflicker", done, len(todo), frame)

    def _finish(self, frame: int, pixels: np.ndarray, text: Mapping[str, str]) -> Path:
        path = self._frames.write(frame, pixels, text)
        self._journal.frame_finished(frame, path)
        return path

    def _report(self, run_id: str) -> None:
        plan, frames = self._plan, self._frames
        self._progress("measure", 0, 2)
        with self._watch.part("measure"):
            temporal = self._temporal()
            self._progress("measure", 1, 2)
            sharpness = measure_sharpness(plan.frames, tuple(plan.style), frames.guide, frames.style, frames.result)
        DeflickerReport(
            frames=len(plan.frames),
            width=frames.width,
            height=frames.height,
            mode=plan.mode,
            window=plan.window,
            device=describe_device(self._device),
            temporal=temporal,
            sharpness=sharpness,
            settings_hash=run_id,
            seconds={name: round(value, 2) for name, value in self._watch.seconds.items()},
            versions=versions(),
        ).write(plan.output_dir)
        self._progress("measure", 2, 2)

    def _temporal(self) -> DeflickerTemporal | None:
        plan, frames = self._plan, self._frames
        if plan.job is None or plan.job_dir is None or plan.job.shot.passes is None:
            return None
        clip = clip_of(plan.job, plan.job_dir, list(plan.frames), self._device)
        style = None if plan.uses_keys else frames.style
        return measure_temporal(plan.frames, clip.field, frames.guide, style, frames.result)

    def _progress(self, stage: str, step: int, step_count: int, frame: int | None = None) -> None:
        self._stop_if_cancelled()
        self._on_event(JobProgress("", stage, step, step_count, frame))
