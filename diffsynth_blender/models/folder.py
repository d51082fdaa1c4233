"""A model folder in the diffusers layout: one sub-folder a part."""

from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, SD3Transformer2DModel, UNet2DConditionModel
from transformers import AutoTokenizer, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer, T5EncoderModel

from .parts import Parts, load_from, load_network
from .recognise import Family, folder_family
from .scheduler import check_scheduler

TINY_VAE_FOLDER = "vae_tiny"

_TEXT_PARTS: dict[Family, tuple[tuple[str, Any, Any], ...]] = {
    "sd15": (("", CLIPTokenizer, CLIPTextModel),),
    "sd2": (("", CLIPTokenizer, CLIPTextModel),),
    "sdxl": (("", CLIPTokenizer, CLIPTextModel), ("_2", CLIPTokenizer, CLIPTextModelWithProjection)),
    "sd3": (
        ("", CLIPTokenizer, CLIPTextModelWithProjection),
        ("_2", CLIPTokenizer, CLIPTextModelWithProjection),
        ("_3", AutoTokenizer, T5EncoderModel),
    ),
}
"""Ending of the sub-folders `tokenizer` and `text_encoder`, and their classes."""


def load_folder(folder: Path, *, tiny_vae: bool, device: torch.device, dtype: torch.dtype) -> Parts:
    """All parts of a model folder; the tiny VAE only where it is asked for and there.

    Raises CheckpointError where a part is missing, damaged or of another kind.
    """
    family = folder_family(folder)
    scheduler = check_scheduler(folder / "scheduler" / "scheduler_config.json", family)
    text = _TEXT_PARTS[family]
    if family == "sd3" and not (folder / "text_encoder_3").is_dir():
        # Stable Diffusion 3 is made to work without its largest text encoder.
        text = text[:2]
    network, network_class = (
        ("transformer", SD3Transformer2DModel) if family == "sd3" else ("unet", UNet2DConditionModel)
    )
    return Parts(
        family=family,
        tokenizers=tuple(_load_tokenizer(folder / f"tokenizer{end}", kind) for end, kind, _ in text),
        text_encoders=tuple(
            load_network(folder / f"text_encoder{end}", kind, device=device, dtype=dtype) for end, _, kind in text
        ),
        vae=load_network(folder / "vae", AutoencoderKL, device=device, dtype=torch.float32),
        tiny_vae=load_tiny_vae(folder, device=device) if tiny_vae else None,
        network=load_network(folder / network, network_class, device=device, dtype=dtype),
        scheduler_config=scheduler,
    )


def _load_tokenizer(folder: Path, kind: Any) -> Any:
    # Left to itself, the library asks on standard input whether a program in the folder may be run.
    options = {"trust_remote_code": False} if kind is AutoTokenizer else {}
    return load_from(folder, kind.from_pretrained, **options)


def load_tiny_vae(folder: Path, *, device: torch.device) -> AutoencoderTiny | None:
    """The tiny VAE in a folder; None where it has none. Raises CheckpointError where it is damaged."""
    tiny = folder / TINY_VAE_FOLDER
    if not tiny.is_dir():
        return None
    return load_network(tiny, AutoencoderTiny, device=device, dtype=torch.float32)
