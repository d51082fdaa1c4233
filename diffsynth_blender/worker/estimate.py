"""Say how much memory a job will take before it takes it."""

import psutil
import torch

from ..diffusion.families import GuidedDenoiser, Split
from ..diffusion.memory_estimate import MemoryEstimate, estimate_memory, peak_bytes
from ..diffusion.sampler import Sampler
from .pipeline import Pipeline

GIB = 1 << 30


def estimate(
    pipeline: Pipeline, model: GuidedDenoiser, sampler: Sampler, *, frame_count: int, window: int, device: torch.device
) -> MemoryEstimate:
    """What restyling a clip will take.

    Args:
        pipeline: the model with its codecs.
        model: ready for the clip.
        sampler: of the run.
        frame_count: of the clip.
        window: neighbours to either side that a frame is averaged with.
        device: where it computes.
    """
    codec, timestep = pipeline.codec, sampler.timesteps[0]
    frames = pipeline.windows(frame_count)[0].frames
    latents = torch.zeros(len(frames), *codec.latent_shape)
    model.begin_step(0, timestep, sampler)
    evaluation = peak_bytes(lambda x: model(x, timestep, frames, (0.0, 1.0), Split()), latents)
    # What the attention kept of tensors without content must not be looked at.
    model.begin_step(0, timestep, sampler)
    decoding = peak_bytes(codec.decode, latents[: codec.batch])
    return estimate_memory(
        device=device,
        busy=pipeline.busy_networks,
        idle=pipeline.idle_networks,
        activations=max(evaluation, decoding),
        window=window,
        height=pipeline.height,
        width=pipeline.width,
        frame_count=frame_count,
        latent_shape=codec.latent_shape,
    )


def describe(needed: MemoryEstimate, device: torch.device) -> str:
    """The estimate in a line for people, with what there is."""
    parts = []
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        parts.append(_compared(needed.device, free, f"the graphics card's {total / GIB:.1f} GB"))
    parts.append(_compared(needed.host, psutil.virtual_memory().available, "main memory"))
    return "memory: " + ", ".join(parts)


def _compared(needed: int, free: int, of_what: str) -> str:
    text = f"about {needed / GIB:.1f} GB of {of_what}"
    return text if needed <= free else f"{text}, of which only {free / GIB:.1f} GB are free"
