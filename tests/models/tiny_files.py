"""Tiny models in one file, and the same weights as a folder; real tokenizer, so that texts work in both."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from diffsynth_blender.models.single_file import CONFIGS
from diffsynth_blender.models.tokenizer import clip_tokenizer
from tests.models import original_layout as original

FAMILIES = ("sd15", "sd2", "sdxl")
WIDTH = 16
"""Channels of a text encoder's output."""


@dataclass(frozen=True)
class TinyFile:
    """One model, twice."""

    family: str
    path: Path
    """The single file."""
    weights: dict[str, torch.Tensor]
    """What is in it."""
    folder: Path
    """The same in the diffusers layout."""
    configs: Path
    """Configurations of its size, laid out as the shipped ones."""


def save_tiny_file(folder: Path, family: str) -> TinyFile:
    """Write a random tiny model of a family as a folder, as a file, and its configurations."""
    torch.manual_seed(0)
    unet, vae, encoders = _unet(family), _vae(), _encoders(family)
    diffusers = folder / "diffusers"
    configs = folder / "configs"
    parts = {"unet": unet, "vae": vae} | {f"text_encoder{'_2' if i else ''}": part for i, part in enumerate(encoders)}
    for name, part in parts.items():
        part.save_pretrained(diffusers / name)
        part.config.save_pretrained(configs / family / name) if "text" in name else part.save_config(
            configs / family / name
        )
    scheduler = (CONFIGS / family / "scheduler" / "scheduler_config.json").read_text()
    for root in (diffusers, configs / family):
        (root / "scheduler").mkdir(parents=True)
        (root / "scheduler" / "scheduler_config.json").write_text(scheduler)
    for i, zero in enumerate({"sd15": (False,), "sd2": (True,), "sdxl": (False, True)}[family]):
        clip_tokenizer(pad_with_zero=zero).save_pretrained(diffusers / f"tokenizer{'_2' if i else ''}")
    (diffusers / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionPipeline"}))
    weights = original.unet(unet.state_dict(), 1) | original.vae(vae.state_dict()) | _texts(family, encoders)
    # As in the files people use: numbers of the noise schedule lie beside the weights.
    weights["betas"] = torch.linspace(0.00085, 0.012, 1000)
    weights = {name: tensor.contiguous() for name, tensor in weights.items()}
    path = folder / f"{family}.safetensors"
    save_file(weights, path)
    return TinyFile(family, path, weights, diffusers, configs)


def _texts(family: str, encoders: list) -> dict[str, torch.Tensor]:
    first = encoders[0].state_dict()
    if family == "sd15":
        return original.clip(first, "cond_stage_model.transformer.")
    if family == "sd2":
        return original.open_clip(first, "cond_stage_model.model.", one_layer_more=True)
    return original.clip(first, "conditioner.embedders.0.transformer.") | original.open_clip(
        encoders[1].state_dict(), "conditioner.embedders.1.model."
    )


def _unet(family: str) -> UNet2DConditionModel:
    options = {
        "sd15": dict(attention_head_dim=2),
        "sd2": dict(attention_head_dim=(2, 4), use_linear_projection=True),
        "sdxl": dict(
            attention_head_dim=(2, 4),
            use_linear_projection=True,
            transformer_layers_per_block=(1, 2),
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=WIDTH + 6 * 8,
        ),
    }[family]
    downs = ("CrossAttnDownBlock2D", "DownBlock2D")
    return UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(16, 32),
        layers_per_block=1,
        norm_num_groups=8,
        down_block_types=downs[::-1] if family == "sdxl" else downs,
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D") if family == "sdxl" else ("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=WIDTH * (2 if family == "sdxl" else 1),
        **options,
    )


def _vae() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(8, 16),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        scaling_factor=0.5,
    )


def _encoders(family: str) -> list:
    def config(activation: str) -> CLIPTextConfig:
        return CLIPTextConfig(
            vocab_size=49408,
            hidden_size=WIDTH,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=77,
            projection_dim=WIDTH,
            hidden_act=activation,
            bos_token_id=49406,
            eos_token_id=49407,
        )

    first = CLIPTextModel(config("gelu" if family == "sd2" else "quick_gelu"))
    return [first, CLIPTextModelWithProjection(config("gelu"))] if family == "sdxl" else [first]
