"""What steers the model: the prompt as text embeddings, and control images through ControlNets."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from diffusers import ControlNetModel
from transformers import CLIPTextModel, CLIPTokenizer


@torch.inference_mode()
def encode_prompt(tokenizer: CLIPTokenizer, text_encoder: CLIPTextModel, prompt: str) -> torch.Tensor:
    """Text embeddings of one prompt, shape (1, tokens, channels).

    Raises ValueError when the prompt is longer than the text encoder reads: cutting it silently would drop words.
    """
    limit = tokenizer.model_max_length
    ids = tokenizer(prompt, padding="max_length", max_length=limit, return_tensors="pt").input_ids
    if ids.shape[1] > limit:
        raise ValueError(f"the prompt has {ids.shape[1]} tokens and the text encoder reads {limit}; shorten it")
    return text_encoder(ids.to(text_encoder.device))[0]


@dataclass(frozen=True)
class ControlInput:
    """One ControlNet with what it sees of the clip."""

    net: ControlNetModel
    images: torch.Tensor
    """(T, 3, H, W) in [0, 1], H and W multiples of the VAE's scale factor."""
    scale: float


def control_residuals(
    controls: Sequence[ControlInput],
    index: torch.Tensor,
    x_t: torch.Tensor,
    timestep: torch.Tensor,
    text: torch.Tensor,
) -> tuple[list[torch.Tensor], torch.Tensor] | tuple[None, None]:
    """Sum of all ControlNets' residuals for the U-Net's down blocks and its middle block.

    `index` (B/2 or B) names the frames in `x_t` (B, C, h, w); with guidance on, x_t holds them twice.
    """
    down: list[torch.Tensor] | None = None
    middle: torch.Tensor | None = None
    for control in controls:
        image = control.images[index].to(device=x_t.device, dtype=x_t.dtype)
        image = image.repeat(len(x_t) // len(index), 1, 1, 1)
        down_i, middle_i = control.net(
            x_t,
            timestep,
            encoder_hidden_states=text,
            controlnet_cond=image,
            conditioning_scale=control.scale,
            return_dict=False,
        )
        if down is None or middle is None:
            down, middle = list(down_i), middle_i
        else:
            down, middle = [a + b for a, b in zip(down, down_i, strict=True)], middle + middle_i
    return (None, None) if down is None or middle is None else (down, middle)
