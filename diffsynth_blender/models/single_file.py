"""A whole model in one .safetensors file, in the layout of the original programs (LDM, kohya): recognised, then split.

The file says nothing about the architecture but the names and shapes of its weights, so the configurations of the
families lie in `configs/`. Names are translated by diffusers.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders.single_file_utils import (
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
)
from safetensors import safe_open
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from .errors import CheckpointError
from .header import Header, read_header
from .parts import Family, Parts, build_network, read_json
from .scheduler import check_scheduler
from .text_weights import Weights, clip_weights, open_clip_weights
from .tokenizer import clip_tokenizer

CONFIGS = Path(__file__).with_name("configs")
"""One folder a family, in the diffusers layout, without weights."""

UNET_PREFIX = "model.diffusion_model."
VAE_PREFIX = "first_stage_model."


@dataclass(frozen=True)
class _TextEncoder:
    """Where one text encoder lies in the file, and what it is."""

    folder: str
    prefix: str
    model_class: type
    open_clip: bool


_TEXT_ENCODERS: dict[Family, tuple[_TextEncoder, ...]] = {
    "sd15": (_TextEncoder("text_encoder", "cond_stage_model.transformer.", CLIPTextModel, False),),
    "sd2": (_TextEncoder("text_encoder", "cond_stage_model.model.", CLIPTextModel, True),),
    "sdxl": (
        _TextEncoder("text_encoder", "conditioner.embedders.0.transformer.", CLIPTextModel, False),
        _TextEncoder("text_encoder_2", "conditioner.embedders.1.model.", CLIPTextModelWithProjection, True),
    ),
}

_NOT_MODELS = (
    ("lora_", "a LoRA; add it to a model"),
    ("unet.down_blocks.", "a LoRA; add it to a model"),
    ("control_model.", "a ControlNet; give it as the model of a control"),
    ("controlnet_cond_embedding.", "a ControlNet; give it as the model of a control"),
    ("ip_adapter.", "an IP-Adapter; give its folder as the IP-Adapter of a reference picture"),
    ("down_blocks.", "only a U-Net; use the whole model, or its folder in the diffusers layout"),
    (f"{UNET_PREFIX}joint_blocks.", "Stable Diffusion 3, which is read from a folder in the diffusers layout only"),
    ("joint_blocks.", "Stable Diffusion 3, which is read from a folder in the diffusers layout only"),
    (
        f"{UNET_PREFIX}double_blocks.",
        "of the Flux family, which is not known here; use Stable Diffusion 1.5, 2.1 or XL",
    ),
    ("double_blocks.", "of the Flux family, which is not known here; use Stable Diffusion 1.5, 2.1 or XL"),
)
"""What files that are no model of ours begin their names with, and what they are."""


def file_family(header: Header) -> Family:
    """The family of a single file, from the names and shapes of its weights.

    Raises CheckpointError for whatever is no text-to-image model of a known family, saying what it is.
    """
    for prefix, what in _NOT_MODELS:
        if header.has(prefix):
            raise CheckpointError(f"{header.path}: this is {what}")
    first = header.shapes.get(f"{UNET_PREFIX}input_blocks.0.0.weight")
    if first is None:
        raise CheckpointError(f"{header.path}: holds no U-Net in the original layout; use the whole model")
    if first[1] != header.shapes.get(f"{UNET_PREFIX}out.2.weight", (4,))[0]:
        raise CheckpointError(
            f"{header.path}: a model for inpainting or editing; use the base model of the same family"
        )
    if header.has(f"{UNET_PREFIX}label_emb."):
        if header.has("conditioner.embedders.0.model."):
            raise CheckpointError(f"{header.path}: a refiner, which only finishes pictures; use the base model")
        return "sdxl"
    # 1.x projects into its transformers by 1x1 convolutions, 2.x by matrices.
    projections = [shape for name, shape in header.shapes.items() if name.endswith(".proj_in.weight")]
    return "sd2" if projections and len(projections[0]) == 2 else "sd15"


def load_single_file(path: Path, *, configs: Path, device: torch.device, dtype: torch.dtype) -> Parts:
    """All parts of a model in one file. `configs` holds a folder for each family, as CONFIGS does.

    Raises CheckpointError where it is no such model, or a part of it is missing or of another architecture.
    """
    header = read_header(path)
    family = file_family(header)
    folder = configs / family

    def build(model_class: Any, config: Any, weights: Weights, part_dtype: torch.dtype) -> Any:
        return build_network(path, model_class, config, weights, device=device, dtype=part_dtype)

    def unet() -> Any:
        config = read_json(folder / "unet" / "config.json")
        weights = convert_ldm_unet_checkpoint(read_weights(header, UNET_PREFIX, "a U-Net"), config)
        return build(UNet2DConditionModel, config, weights, dtype)

    def vae() -> Any:
        config = read_json(folder / "vae" / "config.json")
        weights = convert_ldm_vae_checkpoint(read_weights(header, VAE_PREFIX, "a VAE"), config)
        return build(AutoencoderKL, config, weights, torch.float32)

    def text_encoder(part: _TextEncoder) -> Any:
        config = CLIPTextConfig.from_pretrained(folder / part.folder, local_files_only=True)
        found = read_weights(header, part.prefix, "a text encoder")
        if part.open_clip:
            weights = open_clip_weights(found, part.prefix, part.model_class, config)
        else:
            weights = clip_weights(found, part.prefix, part.model_class)
        return build(part.model_class, config, weights, dtype)

    parts = _TEXT_ENCODERS[family]
    return Parts(
        family=family,
        tokenizers=tuple(clip_tokenizer(pad_with_zero=part.open_clip) for part in parts),
        text_encoders=tuple(text_encoder(part) for part in parts),
        vae=vae(),
        tiny_vae=None,
        network=unet(),
        scheduler_config=_scheduler(header, family, folder),
    )


def read_weights(header: Header, prefix: str, what: str) -> Weights:
    """The tensors of one part, under their names in the file. Raises CheckpointError where there are none."""
    names = [name for name in header.shapes if name.startswith(prefix)]
    if not names:
        raise CheckpointError(f"{header.path}: holds no weights of {what}; use the whole model")
    with safe_open(header.path, framework="pt", device="cpu") as file:
        return {name: file.get_tensor(name) for name in names}


def _scheduler(header: Header, family: Family, folder: Path) -> dict[str, Any]:
    """The family's settings, with the prediction type that the file declares.

    Two conventions: empty tensors named `v_pred` and `ztsnr` (trained to predict v; with noise up to a signal of
    zero), and metadata of the model specification.
    """
    config = check_scheduler(folder / "scheduler" / "scheduler_config.json", family)
    declared = header.metadata.get("modelspec.prediction_type", "").lower()
    if "v_pred" in header.shapes or declared in ("v", "v_prediction", "v-prediction"):
        config["prediction_type"] = "v_prediction"
    elif declared in ("epsilon", "eps"):
        config["prediction_type"] = "epsilon"
    if "ztsnr" in header.shapes:
        config.update(rescale_betas_zero_snr=True, timestep_spacing="trailing")
    return config
