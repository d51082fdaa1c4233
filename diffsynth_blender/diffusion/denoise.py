"""The denoising loop over all frames of a clip, written out.

Each step predicts every frame, lets the predicted x0 of the whole clip be edited, which is where the deflickering is,
and lets the scheduler make the step. The scheduler owns timesteps and sigmas; nothing here is random. The latents of
the clip stay where they are, on the CPU; only a window of frames at a time goes to the model's device.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch

from .families.guidance import Denoiser, Split
from .prediction import NoiseLevel, PredictionType, output_change, x0_from_output
from .sampler import Sampler
from .windows import Window, frame_windows

# Frames that go through the network together where none looks at another. See latents.VAE_BATCH for why it is fixed.
# Measured on 2 CPU cores with the demo model at 384x256: 4 frames (8 with guidance) take as long per frame as 1, 2 or
# 8 within 10 %.
FRAME_BATCH = 4


@dataclass(frozen=True)
class StepDone:
    """What the loop reports after each step: all that is needed to go on from there."""

    step: int
    """0-based index of the finished step."""
    step_count: int
    latents: torch.Tensor
    """(T, C, h, w) as they enter the next step."""
    state: dict[str, torch.Tensor]
    """What the sampler remembers; see `Sampler.state`."""
    x0: Callable[[int], torch.Tensor]
    """Predicts the clean latents (1, C, h, w) of a frame, edited, from what the step saw; to look at."""


class JobInterrupted(Exception):
    """The caller asked the loop to stop (see `should_stop`)."""


class X0Edit(Protocol):
    """What changes the predicted x0 of all frames: `deflicker.Deflickering`, `colour.ColourHold`."""

    def at(self, step: int, step_count: int) -> bool:
        """Whether there is anything to do in step 0..step_count-1."""

    def apply(self, x0: torch.Tensor, step: int, step_count: int) -> torch.Tensor:
        """What must be added to the x0 (T, C, h, w) of all frames."""


def whole(evaluate: Callable[[Split], torch.Tensor]) -> torch.Tensor:
    """Evaluate with as few network calls as possible, where memory is no matter."""
    return evaluate(Split())


@torch.inference_mode()
def denoise(
    denoiser: Denoiser,
    sampler: Sampler,
    latents: torch.Tensor,
    *,
    windows: Sequence[Window] | None = None,
    edits: Sequence[X0Edit] = (),
    first_step: int = 0,
    fresh_noise: Callable[[int], torch.Tensor] | None = None,
    batch_memory: Callable[[Callable[[Split], torch.Tensor]], torch.Tensor] = whole,
    on_step: Callable[[StepDone], None] = lambda done: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> torch.Tensor:
    """Denoise the latents of all frames of a clip together.

    Args:
        denoiser: the model with what steers it; computes in its own dtype, everything else is float32.
        sampler: the run; for a `first_step` above 0 its state is restored.
        latents: (T, C, h, w) float32 as they enter the first step, from `Sampler.start` or `StepDone`.
        windows: which frames are evaluated together; None for groups of `FRAME_BATCH`.
        edits: what changes the predicted x0 in each step, one after the other; without any, each frame is left as the
            model wants it.
        first_step: step to go on from, when `latents` are those after step `first_step - 1`.
        fresh_noise: step → (T, C, h, w), the noise that `Sampler.needs_fresh` samplers inject.
        batch_memory: calls an evaluation with the split that memory allows.
        on_step: called after each step.
        should_stop: asked before every window.

    Returns:
        The clean latents (T, C, h, w).

    Raises:
        JobInterrupted: should_stop answered True.
        ValueError: a sampler that needs fresh noise was given none.
    """
    kind, count = sampler.prediction_type, sampler.step_count
    windows = windows or frame_windows(len(latents), FRAME_BATCH, FRAME_BATCH)
    for step in range(first_step, count):
        timestep, progress = sampler.timesteps[step], (step / count, (step + 1) / count)
        denoiser.begin_step(step, timestep, sampler)
        x_t = sampler.model_input(latents, step)
        output = torch.zeros_like(latents)
        for window in windows:
            if should_stop():
                raise JobInterrupted
            evaluate = partial(denoiser, x_t[window.frames], timestep, window.frames, progress)
            window.add(output, batch_memory(evaluate).to(latents.device))
        level = sampler.level(step)
        todo = [edit for edit in edits if edit.at(step, count)]
        if todo:
            x0 = x0_from_output(output, latents, level, kind)
            change = torch.zeros_like(x0)
            for edit in todo:
                change = change + edit.apply(x0 + change, step, count)
            output = output + output_change(change, level, kind)
        fresh = fresh_noise(step) if sampler.needs_fresh and fresh_noise is not None and step < count - 1 else None
        look = partial(_x0_of_frame, output, latents, level, kind)
        latents = sampler.advance(output, step, latents, fresh)
        on_step(StepDone(step, count, latents, sampler.state(), look))
    return latents


def _x0_of_frame(
    output: torch.Tensor, latents: torch.Tensor, level: NoiseLevel, kind: PredictionType, index: int
) -> torch.Tensor:
    return x0_from_output(output[index : index + 1], latents[index : index + 1], level, kind)
