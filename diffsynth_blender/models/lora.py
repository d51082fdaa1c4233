"""LoRA: a low-rank change of a model's weights, W + weight · alpha / rank · B A, worked into them once.

Fused weights cost nothing while denoising; the price is that another weight needs the model loaded again. Done here
rather than by a library: those leave out what they cannot place and only warn, and here nothing may be left out.
"""

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from .errors import CheckpointError
from .header import Header, read_header
from .lora_names import flat, layer_table
from .recognise import Family

_ENDINGS = {
    ".lora_down.weight": "down",
    ".lora_A.weight": "down",
    ".lora_A.default.weight": "down",
    ".lora.down.weight": "down",
    "_lora.down.weight": "down",
    ".lora_linear_layer.down.weight": "down",
    ".lora_up.weight": "up",
    ".lora_B.weight": "up",
    ".lora_B.default.weight": "up",
    ".lora.up.weight": "up",
    "_lora.up.weight": "up",
    ".lora_linear_layer.up.weight": "up",
    ".alpha": "alpha",
}
_RELATIVES = {
    "hada_w": "a LoHa",
    "lokr_w": "a LoKr",
    "dora_scale": "a DoRA",
    "lora_magnitude_vector": "a DoRA",
    "oft_": "an OFT",
    "lora_mid": "a LoCon in Tucker's form",
    "bundle_emb": "with textual inversion",
}
"""What related adapters have in the names of their weights."""


@dataclass
class _Change:
    """What one layer gets."""

    down: torch.Tensor | None = None
    up: torch.Tensor | None = None
    alpha: torch.Tensor | None = None


def fuse_lora(
    path: Path, weight: float, family: Family, network: torch.nn.Module, text_encoders: tuple[torch.nn.Module, ...]
) -> None:
    """Change the weights of network and text encoders in place, as one LoRA says, `weight` times.

    Raises:
        CheckpointError: the file is missing or damaged, is no LoRA, or was made for another family of models; nothing
            is changed then.
    """
    header = read_header(path)
    changes = _read(header)
    table = layer_table(network, text_encoders)
    deltas = []
    for name, change in changes.items():
        place = table.get(flat(name))
        if place is None:
            raise CheckpointError(
                f"{path}: there is no layer {name} in a model of the family {family}; use a LoRA made for it"
            )
        full_name, layer = place
        deltas.append((layer, _delta(header, family, name, full_name, change, layer)))
    for layer, delta in deltas:
        own = layer.weight.data
        own.copy_(own.float() + weight * delta)


def _read(header: Header) -> dict[str, _Change]:
    """Both factors and alpha of each layer, by the layer's name in the file."""
    for part, what in _RELATIVES.items():
        if any(part in name for name in header.shapes):
            raise CheckpointError(f"{header.path}: {what}, which is not supported; use a plain LoRA")
    changes: dict[str, _Change] = defaultdict(_Change)
    with safe_open(header.path, framework="pt", device="cpu") as file:
        for name in header.shapes:
            ending = next((ending for ending in _ENDINGS if name.endswith(ending)), None)
            if ending is None:
                raise CheckpointError(f"{header.path}: {name} belongs to no LoRA; choose another file")
            setattr(changes[name.removesuffix(ending)], _ENDINGS[ending], file.get_tensor(name).float())
    if not any(change.down is not None for change in changes.values()):
        raise CheckpointError(f"{header.path}: holds no LoRA; choose another file")
    return changes


def _delta(
    header: Header, family: Family, name: str, full_name: str, change: _Change, layer: torch.nn.Module
) -> torch.Tensor:
    """Alpha / rank · B A in the shape of the layer's weights, float32."""
    shape = layer.weight.shape
    if change.down is None or change.up is None:
        raise CheckpointError(f"{header.path}: of {name} only a half is there; download or copy it again")
    down, up = change.down.flatten(1), change.up.flatten(1)
    if up.shape[1] != len(down) or (len(up), down.shape[1]) != (shape[0], shape[1:].numel()):
        raise CheckpointError(
            f"{header.path}: {name} is for a layer of {len(up)}x{down.shape[1]} weights, and has "
            f"{shape[0]}x{shape[1:].numel()} in a model of the family {family}; use a LoRA made for it"
        )
    scale = _scale(header, full_name, len(down)) if change.alpha is None else float(change.alpha) / len(down)
    device = layer.weight.device
    return (scale * (up.to(device) @ down.to(device))).reshape(shape)


def _scale(header: Header, layer: str, rank: int) -> float:
    """Alpha / rank where alpha is no weight: as peft's configuration in the metadata says, else 1."""
    text = header.metadata.get("lora_adapter_metadata")
    if text is None:
        return 1.0
    try:
        config: dict[str, Any] = json.loads(text)
        # Keys are those of peft's LoraConfig, below the part's name.
        plain = {key.rpartition(".")[2]: value for key, value in config.items()}
        alpha = float(plain.get("lora_alpha", rank))
        for pattern, value in (plain.get("alpha_pattern") or {}).items():
            if layer == pattern or layer.endswith(f".{pattern}"):
                alpha = float(value)
        return float(alpha / rank**0.5 if plain.get("use_rslora") else alpha / rank)
    except (ValueError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{header.path}: its metadata lora_adapter_metadata is damaged; download or copy it again"
        ) from error
