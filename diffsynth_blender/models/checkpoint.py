"""Load a checkpoint, with everything an artist adds to it. Never touches the network; reads only safetensors."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from .controlnets import LoadedControl, load_controls
from .errors import CheckpointError
from .folder import load_folder, load_tiny_vae
from .ip_adapter import add_ip_adapter
from .lora import fuse_lora
from .parts import Parts
from .recognise import Family
from .registry import NormalConvention, find_checkpoint
from .single_file import CONFIGS, load_single_file
from .vae import load_vae

__all__ = ["Checkpoint", "CheckpointError", "CheckpointRequest", "Family", "LoadedControl", "load_checkpoint"]


@dataclass(frozen=True)
class CheckpointRequest:
    """What is loaded: a model, and what an artist adds to it."""

    model: str
    """A name of the table, or the absolute path of a folder in the diffusers layout or of a .safetensors file."""
    controls: tuple[tuple[str, str], ...] = ()
    """Control kind, and the path of its ControlNet (folder or .safetensors file; "" for the model's own)."""
    loras: tuple[tuple[str, float], ...] = ()
    """Path of a .safetensors file, and its weight."""
    ip_adapter: Path | None = None
    """An IP-Adapter's .safetensors file, or a folder that holds one."""
    vae: Path | None = None
    """A VAE in place of the model's: a folder in the diffusers layout or a .safetensors file."""
    tiny_vae: bool = False
    """Whether the model's tiny VAE, if it has one in its folder or beside its file, is loaded too."""


@dataclass(frozen=True)
class Checkpoint(Parts):
    """The parts of a latent diffusion model, ready for inference on one device."""

    controlnets: tuple[LoadedControl, ...]
    """In the order asked for."""
    image_encoder: Any | None
    """CLIPVisionModelWithProjection of the IP-Adapter, if there is one."""
    feature_extractor: Any | None
    """CLIPImageProcessor of the IP-Adapter, if there is one."""
    normal_convention: NormalConvention


def load_checkpoint(
    request: CheckpointRequest, *, device: torch.device, dtype: torch.dtype, configs: Path = CONFIGS
) -> Checkpoint:
    """Load a model with what was added to it.

    Args:
        request: what is loaded.
        device: where the parts are put.
        dtype: of network, ControlNets, text and image encoders; the VAEs are always float32.
        configs: where the configurations of single files lie, a folder a family.

    Raises:
        CheckpointError: something is missing, broken, of another family, or cannot be honoured.
    """
    entry = find_checkpoint(request.model)
    if entry.is_file:
        parts = load_single_file(entry.path, configs=configs, device=device, dtype=dtype)
        if request.tiny_vae:
            parts = replace(parts, tiny_vae=load_tiny_vae(entry.folder, device=device))
    else:
        parts = load_folder(entry.path, tiny_vae=request.tiny_vae, device=device, dtype=dtype)
    if request.vae is not None:
        parts = replace(parts, vae=load_vae(request.vae, parts.vae, device=device))
    controlnets = load_controls(
        request.controls, entry, parts.family, parts.network, configs=configs, device=device, dtype=dtype
    )
    for path, weight in request.loras:
        fuse_lora(Path(path), weight, parts.family, parts.network, parts.text_encoders)
    image_encoder = feature_extractor = None
    if request.ip_adapter is not None:
        image_encoder, feature_extractor = add_ip_adapter(
            request.ip_adapter, parts.family, parts.network, device=device, dtype=dtype
        )
    return Checkpoint(
        **vars(parts),
        controlnets=controlnets,
        image_encoder=image_encoder,
        feature_extractor=feature_extractor,
        normal_convention=entry.normal_convention,
    )
