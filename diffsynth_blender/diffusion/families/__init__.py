"""Families of models. The loop knows a `Denoiser`; everything a family does by itself stays in its file here."""

from collections.abc import Sequence
from typing import Any

from ..attention import FrameAttention
from ..conditioning import ControlInput
from ..per_frame import PerFrame
from ..prompt import TextEmbeddings
from ..regions import RegionPrompts
from .guidance import Denoiser, GuidedDenoiser, Split
from .sd3 import SD3Denoiser, encoded_controls
from .unet import Reference, UNetDenoiser

__all__ = [
    "Denoiser",
    "GuidedDenoiser",
    "Reference",
    "SD3Denoiser",
    "Split",
    "UNetDenoiser",
    "encoded_controls",
    "make_denoiser",
]


def make_denoiser(
    family: str,
    network: Any,
    text: TextEmbeddings,
    *,
    vae: Any,
    size: tuple[int, int],
    guidance_scale: PerFrame,
    controls: Sequence[ControlInput] = (),
    attention: FrameAttention | None = None,
    regions: RegionPrompts | None = None,
    reference: Reference | None = None,
    image_embeds: Any = None,
) -> GuidedDenoiser:
    """The denoiser of a family: sd15, sd2, sdxl or sd3.

    Args:
        family: as `models.checkpoint.Checkpoint.family`.
        network: the family's network.
        text: two rows, negative and positive prompt; see `prompt.encode_prompts`.
        vae: encodes the control images of families whose ControlNets look at latents.
        size: height and width of the pictures [px], multiples of the VAE's scale factor.
        guidance_scale: 1 (none) or more, also for each frame.
        controls: ControlNets with what they see, pixels for every family.
        attention: already attached to the networks that use it.
        regions: likewise.
        reference: a picture that every frame looks at; needs `attention` made with a reference.
        image_embeds: for an IP-Adapter; see `image_prompt.embed_picture`.

    Raises:
        ValueError: the family cannot do what is asked for.
    """
    if family != "sd3":
        return UNetDenoiser(
            network,
            text,
            guidance_scale=guidance_scale,
            size=size,
            controls=controls,
            attention=attention,
            regions=regions,
            reference=reference,
            image_embeds=image_embeds,
        )
    if attention or regions or reference or image_embeds is not None:
        raise ValueError("Stable Diffusion 3 has no attention across frames, regions or reference picture; switch off")
    return SD3Denoiser(network, text, guidance_scale=guidance_scale, controls=encoded_controls(controls, vae))
