"""A model folder in the diffusers layout: one sub-folder a part."""

from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, SD3Transformer2DModel, UNet2DConditionModel
from transformers import AutoTokenizer, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer, T5EncoderModel

from .errors import CheckpointError
from .parts import Family, Parts, load_from, load_network, read_json
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

_WHICH = "use Stable Diffusion 1.5, 2.1, XL or 3"


def folder_family(folder: Path) -> Family:
    """The family of a model folder, from the configuration of its network.

    Raises CheckpointError for models of other kinds, saying which would do.
    """
    if (folder / "transformer").is_dir():
        kind = read_json(folder / "transformer" / "config.json").get("_class_name")
        if kind != "SD3Transformer2DModel":
            raise CheckpointError(f"{folder}: a {kind} is of no family known here; {_WHICH}")
        return "sd3"
    config = read_json(folder / "unet" / "config.json")
    if config.get("_class_name") != "UNet2DConditionModel":
        raise CheckpointError(f"{folder}: a {config.get('_class_name')} is of no family known here; {_WHICH}")
    if config.get("in_channels", 4) != config.get("out_channels", 4):
        raise CheckpointError(f"{folder}: a model for inpainting or editing; use the base model of the same family")
    extra = config.get("addition_embed_type")
    if extra == "text_time":
        if not (folder / "text_encoder").is_dir():
            raise CheckpointError(f"{folder}: a refiner, which only finishes pictures; use the base model")
        return "sdxl"
    if extra is not None or config.get("class_embed_type") or config.get("encoder_hid_dim_type"):
        raise CheckpointError(f"{folder}: its U-Net is of no family known here; {_WHICH}")
    return "sd2" if config.get("use_linear_projection") else "sd15"


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
    tiny = folder / TINY_VAE_FOLDER
    network, network_class = (
        ("transformer", SD3Transformer2DModel) if family == "sd3" else ("unet", UNet2DConditionModel)
    )
    return Parts(
        family=family,
        tokenizers=tuple(load_from(folder / f"tokenizer{end}", kind.from_pretrained) for end, kind, _ in text),
        text_encoders=tuple(
            load_network(folder / f"text_encoder{end}", kind, device=device, dtype=dtype) for end, _, kind in text
        ),
        vae=load_network(folder / "vae", AutoencoderKL, device=device, dtype=torch.float32),
        tiny_vae=load_network(tiny, AutoencoderTiny, device=device, dtype=torch.float32)
        if tiny_vae and tiny.is_dir()
        else None,
        network=load_network(folder / network, network_class, device=device, dtype=dtype),
        scheduler_config=scheduler,
    )
