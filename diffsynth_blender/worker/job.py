"""Run a job folder: the one place where passes, motion, blending and diffusion meet.

    inputs → model → controls → motion → (independent frames) → denoising → frames → report

Whatever is finished is in the journal, with the latents after every denoising step, so the same call on the same
folder goes on where it was stopped, to the same bits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from ..blending.smoother import WindowSmoother
from ..diffusion.conditioning import ControlInput, encode_prompt
from ..diffusion.deflicker import Deflickering
from ..diffusion.denoise import FRAME_BATCH, JobInterrupted, StepDone, denoise, image_to_image_timesteps
from ..diffusion.latents import LatentCodec, fixed_noise, independent_noise
from ..models.checkpoint import Checkpoint, CheckpointError, load_checkpoint
from ..models.registry import find_checkpoint
from ..motion.clip import Clip
from ..passes.images import write_png
from ..protocol import (
    BadJobError,
    Event,
    FrameDone,
    Job,
    JobCancelledError,
    JobProgress,
    Journal,
    JournalState,
    ModelMissingError,
    baseline_path,
    load_job,
    output_path,
)
from ..protocol.files import replacing
from .devices import choose_device, compute_dtype, describe_device
from .inputs import Inputs, read_frame_passes, read_inputs, read_source, run_hash
from .interop import smooth_tensors, warp_device
from .measure import measure
from .report import Stopwatch

CACHE = "cache"


@dataclass(frozen=True)
class Selection:
    """Which frames a run computes and which it writes."""

    written: tuple[int, ...]
    """Scene frames asked for."""
    computed: tuple[int, ...]
    """The same with their neighbours in the window, which steady them."""

    @property
    def name(self) -> str:
        """For files that belong to these frames only."""
        return f"{self.computed[0]:04d}-{self.computed[-1]:04d}"


def select_frames(job: Job, frames: tuple[int, int] | None) -> Selection:
    """The frames of the job within first and last, both included; None for all. Raises BadJobError where none is."""
    every = job.shot.frames
    first, last = (every[0], every[-1]) if frames is None else frames
    written = tuple(frame for frame in every if first <= frame <= last)
    if not written:
        raise BadJobError(f"the job has no frame from {first} to {last}; its frames are {every[0]} to {every[-1]}")
    window = job.settings.deflicker.window if job.settings.deflicker else 0
    low = max(0, every.index(written[0]) - window)
    high = every.index(written[-1]) + window
    return Selection(written, every[low : high + 1])


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
    for folder in (output_path(job_dir, 0).parent, baseline_path(job_dir, 0).parent, job_dir / CACHE):
        folder.mkdir(exist_ok=True)
    with Journal(job_dir) as journal:
        run_id = run_hash(job, job_dir)
        state = journal.start(run_id)
        run = Run(job, job_dir, selection, run_id, journal, state, on_event, is_cancelled)
        try:
            run.execute()
        except JobInterrupted:
            raise JobCancelledError("cancelled; run the job again to go on") from None


class TimedCodec(LatentCodec):
    """The codec with its time counted as "vae", wherever it is called from."""

    def __init__(self, checkpoint: Checkpoint, watch: Stopwatch, *, height: int, width: int, device: torch.device):
        super().__init__(checkpoint.vae, height=height, width=width, device=device)
        self._watch = watch

    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        with self._watch.part("vae"):
            return super().encode(frames)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        with self._watch.part("vae"):
            return super().decode(latents)


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
        self._job, self._shot, self._settings = job, job.shot, job.settings
        self._dir = job_dir
        self._selection = selection
        self._run_id = run_id
        self._journal, self._state = journal, state
        self._on_event = on_event
        self._is_cancelled = is_cancelled
        self._watch = Stopwatch()
        self._device = choose_device(job.settings.device)

    def execute(self) -> None:
        """Do what is left to do."""
        todo = [frame for frame in self._selection.written if not self._is_finished(output_path, frame)]
        todo_baseline = [frame for frame in self._selection.written if not self._is_finished(baseline_path, frame)]
        if self._settings.baseline and todo_baseline:
            self._make_baseline(todo_baseline)
        if todo:
            self._write(self._denoise(), todo)
        if todo or not self._state.done:
            self._report()

    # What the parts below need; each is made when it is first asked for.

    @cached_property
    def _inputs(self) -> Inputs:
        with self._watch.part("controls"):
            return read_inputs(self._job, self._dir, self._selection.computed, self._advancing("passes"))

    @cached_property
    def _checkpoint(self) -> Checkpoint:
        self._inputs  # noqa: B018  checked before the model is loaded: a broken file is reported within seconds
        self._progress("load", 0, 1)
        kinds = [control.kind for control in self._settings.controls]
        try:
            entry = find_checkpoint(self._settings.model)
            with self._watch.part("load"):
                checkpoint = load_checkpoint(
                    entry, control_kinds=kinds, device=self._device, dtype=compute_dtype(self._device)
                )
        except (FileNotFoundError, CheckpointError) as error:
            raise ModelMissingError(str(error)) from error
        self._progress("load", 1, 1)
        return checkpoint

    @cached_property
    def _codec(self) -> TimedCodec:
        return TimedCodec(
            self._checkpoint, self._watch, height=self._shot.height, width=self._shot.width, device=self._device
        )

    @cached_property
    def _text(self) -> torch.Tensor:
        model = self._checkpoint
        prompts = {"negative_prompt": self._settings.negative_prompt, "prompt": self._settings.prompt}
        embeddings = []
        for name, prompt in prompts.items():
            try:
                embeddings.append(encode_prompt(model.tokenizer, model.text_encoder, prompt))
            except ValueError as error:
                raise BadJobError(f"{self._dir / 'job.json'}: settings.{name}: {error}") from error
        return torch.cat(embeddings)

    @cached_property
    def _clip(self) -> Clip:
        return self._clip_of(self._selection.computed)

    @cached_property
    def _smoother(self) -> WindowSmoother | None:
        """The window smoother with its links computed; None where nothing is smoothed."""
        if self._settings.deflicker is None or self._settings.deflicker.window == 0:
            return None
        smoother = WindowSmoother(
            self._clip,
            self._inputs.source,
            window=self._settings.deflicker.window,
            cache_dir=self._dir / CACHE,
            cache_key=f"{self._run_id} {self._selection.name}",
        )
        count = len(self._selection.computed)

        def linked(index: int) -> None:
            self._progress("motion", index + 1, count, self._selection.computed[index])
            self._stop_if_cancelled()

        with self._watch.part("motion"):
            smoother.prepare(linked)
        return smoother

    def _clip_of(self, frames: tuple[int, ...]) -> Clip:
        return Clip(
            frames,
            self._shot.pass_frames,
            lambda frame: read_frame_passes(self._job, self._dir, frame),
            {camera.frame: camera for camera in self._shot.cameras},
            width=self._shot.width,
            height=self._shot.height,
            background_depth=self._shot.background_depth,
            sample_offset=self._shot.sample_offset,
            device=warp_device(self._device),
        )

    def _controls(self, index: list[int]) -> list[ControlInput]:
        return [
            ControlInput(
                self._checkpoint.controlnets[control.kind],
                self._codec.pad(torch.from_numpy(self._inputs.controls[control.kind][index]).permute(0, 3, 1, 2)),
                control.scale,
            )
            for control in self._settings.controls
        ]

    def _start(self, noise: torch.Tensor, index: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Noised latents of the source frames `index`, and the timesteps to run."""
        scheduler = self._checkpoint.scheduler
        try:
            timesteps = image_to_image_timesteps(
                scheduler, steps=self._settings.steps, strength=self._settings.strength
            )
        except ValueError as error:
            raise BadJobError(f"{self._dir / 'job.json'}: settings: {error}") from error
        latents = self._codec.encode(torch.from_numpy(self._inputs.source[index]))
        return scheduler.add_noise(latents, noise.to(self._device), timesteps[:1]), timesteps

    def _make_baseline(self, todo: list[int]) -> None:
        """Independent frames of the same model: noise of their own, no neighbours."""
        computed = self._selection.computed
        for first in range(0, len(todo), FRAME_BATCH):
            group = todo[first : first + FRAME_BATCH]
            index = [computed.index(frame) for frame in group]
            noise = independent_noise(group, self._codec.latent_shape, seed=self._settings.seed)
            latents, timesteps = self._start(noise, index)
            with self._watch.part("baseline"):
                clean = denoise(
                    self._checkpoint.unet,
                    self._checkpoint.scheduler,
                    latents,
                    timesteps,
                    text=self._text,
                    controls=self._controls(index),
                    guidance_scale=self._settings.guidance_scale,
                    should_stop=self._is_cancelled,
                )
                for frame, pixels in zip(group, self._codec.decode(clean).cpu().numpy(), strict=True):
                    self._finish(baseline_path(self._dir, frame), frame, pixels)
            self._progress("baseline", first + len(group), len(todo), group[-1])

    def _denoise(self) -> torch.Tensor:
        """Clean latents of the computed frames, from the last step that is on disk."""
        count = len(self._selection.computed)
        deflicker = None
        if self._smoother is not None:
            wanted = self._settings.deflicker
            deflicker = Deflickering(
                self._smooth,
                self._codec,
                interval=wanted.interval,
                skip_last=wanted.skip_last,
                strength=wanted.strength,
            )
        noise = fixed_noise(count, self._codec.latent_shape, seed=self._settings.seed)
        everything = list(range(count))
        latents, timesteps = self._start(noise, everything)
        first_step = 0
        checkpoint = self._state.checkpoint
        if checkpoint is not None and checkpoint.path == self._latents_path(checkpoint.index):
            latents = torch.from_numpy(np.load(checkpoint.path)).to(self._device)
            first_step = checkpoint.index + 1
        self._progress("denoise", first_step, len(timesteps))
        with self._watch.part("denoise"):
            return denoise(
                self._checkpoint.unet,
                self._checkpoint.scheduler,
                latents,
                timesteps,
                text=self._text,
                controls=self._controls(everything),
                guidance_scale=self._settings.guidance_scale,
                deflicker=deflicker,
                first_step=first_step,
                on_step=self._keep_latents,
                should_stop=self._is_cancelled,
            )

    def _smooth(self, frames: torch.Tensor) -> torch.Tensor:
        assert self._smoother is not None
        with self._watch.part("deflicker"):
            return smooth_tensors(self._smoother.smooth)(frames)

    def _latents_path(self, step: int) -> Path:
        return self._dir / CACHE / f"latents-{self._selection.name}-{step:04d}.npy"

    def _keep_latents(self, done: StepDone) -> None:
        """Put the latents after a step on disk and enter them in the journal; only then may the ones before go."""
        with replacing(self._latents_path(done.step)) as temporary:
            np.save(temporary, done.latents.cpu().numpy())
        self._journal.step_finished(done.step, self._latents_path(done.step))
        self._latents_path(done.step - 1).unlink(missing_ok=True)
        self._progress("denoise", done.step + 1, done.step_count)

    def _write(self, latents: torch.Tensor, todo: list[int]) -> None:
        """Decode, smooth once more where asked for, and write the frames that are left."""
        frames = self._codec.decode(latents)
        wanted = self._settings.deflicker
        if self._smoother is not None and wanted is not None and wanted.final:
            frames = torch.lerp(frames, self._smooth(frames), wanted.strength)
        pixels = frames.cpu().numpy()
        for done, frame in enumerate(todo):
            self._stop_if_cancelled()
            path = output_path(self._dir, frame)
            with self._watch.part("write"):
                self._finish(path, frame, pixels[self._selection.computed.index(frame)])
            self._on_event(FrameDone("", frame, str(path)))
            self._progress("write", done + 1, len(todo), frame)

    def _report(self) -> None:
        """Once every frame of the shot is there: measure, report, and close the journal's account."""
        every = self._shot.frames
        written = set(self._selection.written)
        if not all(frame in written or self._is_finished(output_path, frame) for frame in every):
            return
        self._watch.seconds["render"] = self._shot.render_seconds
        measure(
            self._job,
            self._dir,
            self._clip_of(every),
            device=describe_device(self._device),
            run_id=self._run_id,
            seconds=self._watch.seconds,
        )
        self._journal.done()

    def _is_finished(self, path_of: Callable[[Path, int], Path], frame: int) -> bool:
        return self._state.is_finished(path_of(self._dir, frame))

    def _finish(self, path: Path, frame: int, pixels: np.ndarray) -> None:
        write_png(path, pixels)
        self._journal.frame_finished(frame, path)

    def _progress(self, stage: str, step: int, step_count: int, frame: int | None = None) -> None:
        self._on_event(JobProgress("", stage, step, step_count, frame))

    def _advancing(self, stage: str) -> Callable[[int, int, int], None]:
        def advance(done: int, count: int, frame: int) -> None:
            self._progress(stage, done, count, frame)
            self._stop_if_cancelled()

        return advance

    def _stop_if_cancelled(self) -> None:
        if self._is_cancelled():
            raise JobInterrupted
