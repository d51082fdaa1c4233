"""The denoising loop over all frames of a clip, written out.

Each step predicts every frame, optionally deflickers the predicted x0 of the whole clip, and lets the scheduler make
the step. The scheduler owns timesteps and alphas; nothing here is random.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel

from .conditioning import ControlInput, control_residuals
from .deflicker import Deflickering
from .latents import groups
from .prediction import NoiseLevel, output_change, x0_from_output

# Frames that go through the U-Net together. See latents.VAE_BATCH for why it is fixed. Measured on 2 CPU cores with
# the demo model at 384x256: 4 frames (8 with guidance) take as long per frame as 1, 2 or 8 within 10 %.
FRAME_BATCH = 4


@dataclass(frozen=True)
class StepDone:
    """What the loop reports after each step."""

    step: int
    """0-based index of the finished step."""
    step_count: int
    latents: torch.Tensor
    """(T, C, h, w) as they enter the next step."""


class JobInterrupted(Exception):
    """The caller asked the loop to stop (see `should_stop`)."""


def image_to_image_timesteps(scheduler: DDIMScheduler, *, steps: int, strength: float) -> torch.Tensor:
    """The timesteps that are run when starting from noised frames: the last `steps * strength` of the schedule.

    The same rule as diffusers' image-to-image pipelines. Raises ValueError when no step is left.
    """
    scheduler.set_timesteps(steps)
    kept = min(int(steps * strength), steps)
    if kept < 1:
        raise ValueError(f"strength {strength} of {steps} steps leaves no step to run; raise either")
    return scheduler.timesteps[steps - kept :]


def guided_output(
    unet: UNet2DConditionModel,
    controls: Sequence[ControlInput],
    index: torch.Tensor,
    x_t: torch.Tensor,
    timestep: torch.Tensor,
    text: torch.Tensor,
    guidance_scale: float,
) -> torch.Tensor:
    """Model output (B, C, h, w) for the frames `index`, with classifier-free guidance (Ho & Salimans 2022).

    `text` is (2, tokens, channels), negative then positive; with a guidance scale of 1 only the positive is evaluated.
    """
    branches = 2 if guidance_scale > 1 else 1
    sample = torch.cat([x_t] * branches).to(unet.dtype)
    states = text[2 - branches :].to(unet.dtype).repeat_interleave(len(x_t), dim=0)
    down, middle = control_residuals(controls, index, sample, timestep, states)
    output = unet(
        sample,
        timestep,
        encoder_hidden_states=states,
        down_block_additional_residuals=down,
        mid_block_additional_residual=middle,
        return_dict=False,
    )[0].float()
    if branches == 1:
        return output
    negative, positive = output.chunk(2)
    return negative + guidance_scale * (positive - negative)


@torch.inference_mode()
def denoise(
    unet: UNet2DConditionModel,
    scheduler: DDIMScheduler,
    latents: torch.Tensor,
    timesteps: torch.Tensor,
    *,
    text: torch.Tensor,
    controls: Sequence[ControlInput] = (),
    guidance_scale: float = 1.0,
    deflicker: Deflickering | None = None,
    first_step: int = 0,
    on_step: Callable[[StepDone], None] = lambda done: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> torch.Tensor:
    """Denoise the latents of all frames of a clip together.

    Args:
        unet: the denoising model; computes in its own dtype, everything else is float32.
        scheduler: a DDIM scheduler whose timesteps are set; `timesteps` are the ones to run.
        latents: (T, C, h, w) float32, noised to the first of the timesteps that are run.
        timesteps: those of the whole run, falling.
        text: embeddings (2, tokens, channels), negative then positive prompt.
        controls: ControlNets with what they see.
        guidance_scale: 1 or more; 1 switches guidance off.
        deflicker: how the predicted x0 is made to agree between frames; None denoises each frame by itself.
        first_step: step to go on from, when `latents` are those after step `first_step - 1`.
        on_step: called after each step.
        should_stop: asked before every group of frames.

    Returns:
        The clean latents (T, C, h, w).

    Raises:
        JobInterrupted: should_stop answered True.
    """
    kind = scheduler.config.prediction_type
    count = len(timesteps)
    for step in range(first_step, count):
        timestep = timesteps[step]
        output = torch.empty_like(latents)
        for index in groups(len(latents), FRAME_BATCH):
            if should_stop():
                raise JobInterrupted
            output[index] = guided_output(unet, controls, index, latents[index], timestep, text, guidance_scale)
        if deflicker is not None and deflicker.at(step, count):
            alpha = float(scheduler.alphas_cumprod[timestep])
            level = NoiseLevel(alpha**0.5, (1 - alpha) ** 0.5)
            x0 = x0_from_output(output, latents, level, kind)
            output = output + output_change(deflicker.change(x0), level, kind)
        latents = scheduler.step(output, timestep, latents).prev_sample
        on_step(StepDone(step, count, latents))
    return latents
