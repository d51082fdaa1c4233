"""LoRA: a low-rank change of a model's weights, W + weight · alpha / rank · B A, worked into them once.

Files in kohya's and in diffusers' layout are read by diffusers, and worked in by peft. Fused weights cost nothing while
denoising; the price is that another weight needs the model loaded again.
"""

from pathlib import Path
from typing import Any

import torch
from diffusers.loaders import SD3LoraLoaderMixin, StableDiffusionLoraLoaderMixin, StableDiffusionXLLoraLoaderMixin
from diffusers.loaders.lora_base import fuse_text_encoder_lora
from diffusers.utils import recurse_remove_peft_layers
from diffusers.utils.state_dict_utils import (
    convert_state_dict_to_diffusers,
    convert_state_dict_to_peft,
    convert_unet_state_dict_to_peft,
)

from .errors import CheckpointError
from .header import read_header
from .parts import Family, one_line

_LOADERS: dict[Family, Any] = {
    "sd15": StableDiffusionLoraLoaderMixin,
    "sd2": StableDiffusionLoraLoaderMixin,
    "sdxl": StableDiffusionXLLoraLoaderMixin,
    "sd3": SD3LoraLoaderMixin,
}

_UNSUPPORTED = {"hada_w1_a": "a LoHa", "lokr_w1": "a LoKr", "dora_scale": "a DoRA", "oft_blocks": "an OFT"}
"""Endings of weights of related adapters, which are no LoRA."""

_ADAPTER = "lora"


def fuse_lora(
    path: Path, weight: float, family: Family, network: torch.nn.Module, text_encoders: tuple[torch.nn.Module, ...]
) -> None:
    """Change the weights of network and text encoders in place, as one LoRA says, `weight` times.

    Raises:
        CheckpointError: the file is missing or damaged, is no LoRA, or was made for another family of models.
    """
    header = read_header(path)
    for ending, what in _UNSUPPORTED.items():
        if any(name.endswith((ending, f"{ending}.weight")) for name in header.shapes):
            raise CheckpointError(f"{path}: {what}, which is not supported; use a LoRA")
    if not any("lora" in name for name in header.shapes):
        raise CheckpointError(f"{path}: holds no LoRA; choose another file")
    loader = _LOADERS[family]
    options = {"unet_config": network.config} if family == "sdxl" else {}
    try:
        read = loader.lora_state_dict(
            str(path), return_lora_metadata=True, use_safetensors=True, local_files_only=True, **options
        )
        # Stable Diffusion 3's reader says nothing of alphas: there they are metadata.
        weights, alphas, metadata = (read[0], None, read[1]) if len(read) == 2 else read
        parts = {loader.transformer_name if family == "sd3" else loader.unet_name: network}
        parts |= {f"text_encoder{'' if i == 0 else f'_{i + 1}'}": part for i, part in enumerate(text_encoders)}
        _check_fit(path, family, weights, parts)
        for prefix, part in parts.items():
            if not any(name.startswith(f"{prefix}.") for name in weights):
                continue
            if part is network:
                network.load_lora_adapter(
                    dict(weights), prefix=prefix, network_alphas=alphas, metadata=metadata, adapter_name=_ADAPTER
                )
            else:
                loader.load_lora_into_text_encoder(
                    dict(weights), alphas, part, prefix=prefix, metadata=metadata, adapter_name=_ADAPTER
                )
            _fuse(part, weight)
    except CheckpointError:
        raise
    # diffusers and peft raise ValueError, RuntimeError, KeyError or SafetensorError for a file that does not fit.
    except Exception as error:
        raise CheckpointError(
            f"{path}: cannot be worked into a model of the family {family} ({one_line(error)}); use a LoRA made for it"
        ) from error


def _fuse(part: Any, weight: float) -> None:
    fuse_text_encoder_lora(part, lora_scale=weight, adapter_names=[_ADAPTER])
    recurse_remove_peft_layers(part)
    del part.peft_config
    part._hf_peft_config_loaded = False
    part.requires_grad_(False)


def _check_fit(path: Path, family: Family, weights: dict[str, torch.Tensor], parts: dict[str, Any]) -> None:
    """Every weight has a layer of its size: diffusers would leave out those that have none, and only warn."""
    fits = 0
    for prefix, part in parts.items():
        own = {name.removeprefix(f"{prefix}."): t for name, t in weights.items() if name.startswith(f"{prefix}.")}
        if prefix.startswith("text_encoder"):
            own = convert_state_dict_to_peft(convert_state_dict_to_diffusers(own)) if own else own
        elif own and not any("lora_A" in name for name in own):
            own = convert_unet_state_dict_to_peft(own)
        layers = dict(part.named_modules())
        for name, tensor in own.items():
            layer_name, _, end = name.partition(".lora_")
            layer = layers.get(layer_name, layers.get(layer_name.removeprefix("text_model.")))
            axis, dimension = (1, 1) if end.startswith("A") else (0, 0)
            size = None if layer is None else getattr(layer, "weight", torch.empty(0)).shape
            if size is None or len(size) <= axis or size[axis] != tensor.shape[dimension]:
                raise CheckpointError(
                    f"{path}: {prefix}.{layer_name} has no such layer in a model of the family {family}; "
                    "use a LoRA made for it"
                )
            fits += 1
    if fits < len(weights):
        named = next(name for name in weights if not name.startswith(tuple(f"{prefix}." for prefix in parts)))
        raise CheckpointError(
            f"{path}: {named} belongs to no part of a model of the family {family}; use a LoRA made for it"
        )
