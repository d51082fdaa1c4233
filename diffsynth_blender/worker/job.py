"""Run a job folder: the one place where passes, motion, blending and diffusion meet.

    inputs → model → (independent frames) → motion → denoising → frames → report

Whatever is finished is in the journal, with the latents after every denoising step, so the same call on the same
folder goes on where it was stopped, to the same bits.
"""

from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from ..blending.smoother import Mode, Smoother
from ..diffusion.deflicker import Deflickering, Fetch, Smooth
from ..diffusion.denoise import FRAME_BATCH, JobInterrupted, StepDone
from ..diffusion.noise import fixed_noise, independent_noise
from ..motion.clip import Clip
from ..passes.images import to_bytes, write_png
from ..protocol import (
    Event,
    FrameDone,
    Job,
    JobCancelledError,
    JobProgress,
    Journal,
    JournalState,
    baseline_path,
    load_job,
    output_path,
)
from ..protocol.files import replacing
from ..protocol.job import CACHE_FOLDER
from .devices import choose_device, describe_device
from .inputs import Inputs, at_result_size, read_inputs, run_hash
from .interop import smooth_tensors, stream_tensors, warp_device
from .measure import measure
from .pipeline import Pipeline
from .region_masks import composite
from .report import Stopwatch
from .selection import Selection, select_frames
from .shot_motion import clip_of, correspondence_of


def run_job(
    job_dir: Path,
    *,
    frames: tuple[int, int] | None,
    on_event: Callable[[Event], None],
    is_cancelled: Callable[[], bool],
) -> None:
    """Run or resume the job in `job_dir`.

    Args:
        job_dir: the job folder.
        frames: first and last scene frame to write, or None for all.
        on_event: receives JobProgress and FrameDone, with an empty job_id.
        is_cancelled: asked at least once every denoising step.

    Raises:
        DiffSynthError: of the kind that says why; finished frames stay.
    """
    job_dir = Path(job_dir)
    job = load_job(job_dir)
    selection = select_frames(job, frames)
    for folder in (output_path(job_dir, 0).parent, baseline_path(job_dir, 0).parent, job_dir / CACHE_FOLDER):
        folder.mkdir(exist_ok=True)
    with Journal(job_dir) as journal:
        run_id = run_hash(job, job_dir)
        run = Run(
            at_result_size(job), job_dir, selection, run_id, journal, journal.start(run_id), on_event, is_cancelled
        )
        try:
            run.execute()
        except JobInterrupted:
            raise JobCancelledError("cancelled; run the job again to go on") from None


class Run:
    """One run of a job, from its inputs to its report. Parts that a resumed run does not need are never made."""

    def __init__(
        self,
        job: Job,
        job_dir: Path,
        selection: Selection,
        run_id: str,
        journal: Journal,
        state: JournalState,
        on_event: Callable[[Event], None],
        is_cancelled: Callable[[], bool],
    ) -> None:
        self._job = job
        self._dir = job_dir
        self._selection = selection
        self._run_id = run_id
        self._journal = journal
        self._state = state
        self._on_event = on_event
        self._is_cancelled = is_cancelled
        self._watch = Stopwatch()
        self._device = choose_device(job.settings.device)

    def execute(self) -> None:
        """Do what is left to do."""
        todo = self._unfinished(output_path)
        if self._job.settings.baseline:
            self._make_baseline(self._unfinished(baseline_path))
        if todo:
            self._write(self._denoise(), todo)
        if todo or not self._state.done:
            self._report()

    @cached_property
    def _inputs(self) -> Inputs:
        with self._watch.part("controls"):
            return read_inputs(self._job, self._dir, self._selection.computed, self._checked)

    @cached_property
    def _pipeline(self) -> Pipeline:
        # The inputs come first: a broken file is then reported before a model is loaded.
        inputs = self._inputs
        self._progress("load", 0, 1)
        with self._watch.part("load"):
            pipeline = Pipeline(self._job, inputs, device=self._device, watch=self._watch)
        self._progress("load", 1, 1)
        return pipeline

    @cached_property
    def _smoother(self) -> Smoother | None:
        """The smoother inside the loop with its links computed; None where nothing is smoothed.

        Balanced: the same linear operator at every denoising step, so that the frames settle on one picture.
        """
        deflicker = self._job.settings.deflicker
        if deflicker is None or deflicker.widest == 0:
            return None
        smoother = self._make_smoother("balanced", deflicker.widest)
        computed = self._selection.computed

        def linked(index: int) -> None:
            self._progress("motion", index + 1, len(computed), computed[index])
            self._stop_if_cancelled()

        self._progress("motion", 0, len(computed))
        with self._watch.part("motion"):
            smoother.prepare(linked)
        return smoother

    def _make_smoother(self, mode: Mode, window: int) -> Smoother:
        """A smoother of the computed frames; all share the links that are in the cache."""
        return Smoother(
            correspondence_of(self._job, self._dir, self._selection.computed, warp_device(self._device)),
            self._inputs.source,
            mode=mode,
            window=window,
            cache_dir=self._dir / CACHE_FOLDER,
            cache_key=f"{self._run_id} {self._selection.name}",
        )

    def _clip(self, frames: tuple[int, ...]) -> Clip:
        return clip_of(self._job, self._dir, frames, warp_device(self._device))

    def _make_baseline(self, todo: list[int]) -> None:
        """Independent frames of the same model: noise of their own, no neighbours."""
        for first in range(0, len(todo), FRAME_BATCH):
            group = todo[first : first + FRAME_BATCH]
            index = self._selection.places(group)
            shape = self._pipeline.codec.latent_shape
            self._progress("baseline", first, len(todo))
            with self._watch.part("baseline"):
                noise = independent_noise(group, shape, seed=self._job.settings.seed)
                noised = self._pipeline.start(noise, index)
                clean = self._pipeline.denoise(noised, index, should_stop=self._is_cancelled)
                pixels = self._pipeline.codec.decode(clean).cpu().numpy()
            for frame, picture in zip(group, pixels, strict=True):
                self._finish(baseline_path(self._dir, frame), frame, picture)
            self._progress("baseline", first + len(group), len(todo), group[-1])

    def _denoise(self) -> torch.Tensor:
        """Clean latents of the computed frames, from the last step that is on disk."""
        pipeline = self._pipeline
        index = range(len(self._selection.computed))
        first_step = 0
        kept = self._state.checkpoint
        if kept is not None and kept.path == self._latents_path(kept.index):
            latents = torch.from_numpy(np.load(kept.path)).to(self._device)
            first_step = kept.index + 1
        else:
            noise = fixed_noise(len(index), pipeline.codec.latent_shape, seed=self._job.settings.seed)
            latents = pipeline.start(noise, index)
        deflicker = self._deflickering()
        self._progress("denoise", first_step, pipeline.step_count)
        with self._watch.part("denoise"):
            return pipeline.denoise(
                latents,
                index,
                deflicker=deflicker,
                first_step=first_step,
                on_step=self._keep_latents,
                should_stop=self._is_cancelled,
            )

    def _deflickering(self) -> Deflickering | None:
        wanted, smoother = self._job.settings.deflicker, self._smoother
        if wanted is None or smoother is None:
            return None
        return Deflickering(
            self._smooth_each(smoother),
            self._pipeline.codec,
            window=wanted.window,
            strength=wanted.strength,
            steps=wanted.steps,
            interval=wanted.interval,
            skip_last=wanted.skip_last,
        )

    def _smooth_each(self, smoother: Smoother) -> Smooth:
        """The smoother as the loop wants it, its time counted without that of the VAE in between."""
        stream = stream_tensors(smoother)

        def smoothed(fetch: Fetch, window: int) -> Iterator[torch.Tensor]:
            frames = stream(fetch, window)
            while True:
                with self._watch.part("deflicker"):
                    frame = next(frames, None)
                if frame is None:
                    return
                yield frame

        return smoothed

    def _smooth(self, smoother: Smoother, frames: torch.Tensor) -> torch.Tensor:
        with self._watch.part("deflicker"):
            return smooth_tensors(smoother.smooth)(frames)

    def _latents_path(self, step: int) -> Path:
        return self._dir / CACHE_FOLDER / f"latents-{self._selection.name}-{step:04d}.npy"

    def _keep_latents(self, done: StepDone) -> None:
        """Put the latents after a step on disk and enter them in the journal; only then may the ones before go."""
        path = self._latents_path(done.step)
        with replacing(path) as temporary:
            np.save(temporary, done.latents.cpu().numpy())
        self._journal.step_finished(done.step, path)
        self._latents_path(done.step - 1).unlink(missing_ok=True)
        self._progress("denoise", done.step + 1, done.step_count)

    def _write(self, latents: torch.Tensor, todo: list[int]) -> None:
        """Decode, smooth once more where asked for, and write the frames that are left."""
        frames = self._pipeline.codec.decode(latents)
        wanted = self._job.settings.deflicker
        if wanted is not None and wanted.final and wanted.widest > 0:
            # Nothing follows that a registered blend could lead astray, and it keeps the most detail.
            smoother = self._make_smoother("accurate", wanted.widest)
            frames = torch.lerp(frames, self._smooth(smoother, frames), wanted.strength)
        pixels = frames.cpu().numpy()
        for done, (frame, place) in enumerate(zip(todo, self._selection.places(todo), strict=True)):
            self._stop_if_cancelled()
            path = output_path(self._dir, frame)
            with self._watch.part("write"):
                self._finish(path, frame, self._keep_rest(pixels[place], place))
            self._on_event(FrameDone("", frame, str(path)))
            self._progress("write", done + 1, len(todo), frame)

    def _keep_rest(self, pixels: np.ndarray, index: int) -> np.ndarray:
        """The frame, with what belongs to no region as in the source, bit for bit, where the settings say so."""
        if not self._job.settings.keep_rest:
            return pixels
        kept = composite(to_bytes(pixels), to_bytes(self._inputs.source(index)), self._inputs.any_region(index))
        return kept.astype(np.float32) / np.float32(255.0)

    def _report(self) -> None:
        """Once every frame of the shot is there: measure, report, and close the journal's account."""
        every = self._job.shot.frames
        missing = set(every) - set(self._selection.written)
        if not all(self._state.is_finished(output_path(self._dir, frame)) for frame in missing):
            return
        measure(
            self._job,
            self._dir,
            None if self._job.shot.passes is None else self._clip(every),
            device=describe_device(self._device),
            run_id=self._run_id,
            seconds={"render": self._job.shot.render_seconds, **self._watch.seconds},
        )
        self._journal.done()

    def _unfinished(self, path_of: Callable[[Path, int], Path]) -> list[int]:
        return [f for f in self._selection.written if not self._state.is_finished(path_of(self._dir, f))]

    def _finish(self, path: Path, frame: int, pixels: np.ndarray) -> None:
        write_png(path, pixels)
        self._journal.frame_finished(frame, path)

    def _progress(self, stage: str, step: int, step_count: int, frame: int | None = None) -> None:
        self._on_event(JobProgress("", stage, step, step_count, frame))

    def _checked(self, done: int, count: int, frame: int) -> None:
        self._progress("passes", done, count, frame)
        self._stop_if_cancelled()

    def _stop_if_cancelled(self) -> None:
        if self._is_cancelled():
            raise JobInterrupted
