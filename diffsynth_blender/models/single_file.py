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
from .parts import Parts, build_network
from .recognise import UNET_PREFIX, VAE_PREFIX, Family, file_family, read_json
from .scheduler import check_scheduler
from .text_weights import Weights, clip_weights, open_clip_weights
from .tokenizer import clip_tokenizer

CONFIGS = Path(__file__).with_name("configs")
"""One folder a family, in the diffusers layout, without weights."""


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
