"""A short clip and the engine driven as the worker drives it, for the laws about the loop."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from diffsynth_blender.diffusion.conditioning import ControlInput
from diffsynth_blender.diffusion.denoise import denoise
from diffsynth_blender.diffusion.families import make_denoiser
from diffsynth_blender.diffusion.latents import LatentCodec
from diffsynth_blender.diffusion.noise import fixed_noise
from diffsynth_blender.diffusion.prompt import encode_prompts
from diffsynth_blender.diffusion.sampler import Sampler

CPU = torch.device("cpu")
SIZE = 24
PROMPTS = ("grey", "a red cube")
"""Negative and positive."""


def pictures(count: int, seed: int) -> torch.Tensor:
    """Frames (T, H, W, 3) in [0, 1]."""
    return torch.rand(count, SIZE, SIZE, 3, generator=torch.Generator().manual_seed(seed))


def control_images(count: int, number: int) -> torch.Tensor:
    """What a ControlNet sees, (T, 3, H, W) in [0, 1]; another for each number."""
    return pictures(count, 50 + number).permute(0, 3, 1, 2)


def make_codec(tiny: Any) -> LatentCodec:
    """The model's VAE for frames of `SIZE`."""
    return LatentCodec(tiny.vae, height=SIZE, width=SIZE, device=CPU)


def controls_of(tiny: Any, count: int, **options: Sequence) -> list[ControlInput]:
    """All ControlNets of a model, each with images of its own; options are lists with one value for each."""
    return [
        ControlInput(net, control_images(count, i), **{name: values[i] for name, values in options.items()})
        for i, net in enumerate(tiny.controlnets)
    ]


def run(
    tiny: Any,
    frames: torch.Tensor,
    *,
    sampler: str = "ddim",
    steps: int = 6,
    strength: float = 0.7,
    guidance_scale: float = 3.0,
    controls: Sequence[ControlInput] | None = None,
    seed: int = 0,
    latents: torch.Tensor | None = None,
    state: dict[str, torch.Tensor] | None = None,
    first_step: int = 0,
    prompts: Sequence[str] = PROMPTS,
    config: dict[str, Any] | None = None,
    fresh_noise: Callable[[int], torch.Tensor] | None = None,
    **options: Any,
) -> torch.Tensor:
    """Clean latents of frames: two ControlNets, guidance on, the last steps of the schedule."""
    codec = make_codec(tiny)
    chosen = Sampler(sampler, {**tiny.scheduler_config, **(config or {})}, steps=steps, strength=strength)
    if controls is None:
        controls = controls_of(tiny, len(frames), scale=[1.0, 0.5])
    steering = {name: options.pop(name) for name in ("attention", "regions", "reference") if name in options}
    denoiser = make_denoiser(
        tiny.family,
        tiny.network,
        encode_prompts(tiny.family, tiny.tokenizers, tiny.text_encoders, prompts),
        vae=tiny.vae,
        size=(SIZE, SIZE),
        guidance_scale=guidance_scale,
        controls=controls,
        **steering,
    )
    if latents is None:
        noise = fixed_noise(len(frames), codec.latent_shape, seed=seed)
        latents = chosen.start(codec.encode(frames), noise)
    if state is not None:
        chosen.restore(first_step, state)
    if fresh_noise is None:
        shape = (1, *codec.latent_shape)

        def fresh_noise(step: int) -> torch.Tensor:
            return torch.randn(shape, generator=torch.Generator().manual_seed(900 + step)).expand(latents.shape)

    return denoise(denoiser, chosen, latents, first_step=first_step, fresh_noise=fresh_noise, **options)
