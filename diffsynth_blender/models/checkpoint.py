"""Load a checkpoint, with everything an artist adds to it. Never touches the network."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, ControlNetModel, UNet2DConditionModel
from diffusers.utils import logging as diffusers_logging
from transformers import CLIPTextModel, CLIPTokenizer
from transformers.utils import logging as transformers_logging

from .errors import CheckpointError
from .registry import NormalConvention, find_checkpoint

__all__ = ["Checkpoint", "CheckpointError", "CheckpointRequest", "Family", "LoadedControl", "load_checkpoint"]

# The libraries' own progress bars would run through the worker's log, which people read when a job fails.
diffusers_logging.disable_progress_bar()
transformers_logging.disable_progress_bar()

Family = Literal["sd15", "sd2", "sdxl", "sd3"]


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
    """Folder of an IP-Adapter's weights and its image encoder."""
    tiny_vae: bool = False
    """Whether the model's tiny VAE, if it has one, is loaded too."""


@dataclass(frozen=True)
class LoadedControl:
    """A ControlNet for one kind of control."""

    kind: str
    net: Any
    union_mode: int | None = None
    """Index of the kind in a union model (ControlNetUnionModel), where several kinds share one net; else None."""


@dataclass(frozen=True)
class Checkpoint:
    """The parts of a latent diffusion model, ready for inference on one device."""

    family: Family
    tokenizers: tuple[Any, ...]
    text_encoders: tuple[Any, ...]
    """As many as tokenizers, in the same order."""
    vae: AutoencoderKL
    """float32: the deflickering takes differences of its outputs."""
    tiny_vae: AutoencoderTiny | None
    """float32; None where it was not asked for or the model has none."""
    network: Any
    """UNet2DConditionModel, or SD3Transformer2DModel for sd3."""
    scheduler_config: dict[str, Any]
    """As in scheduler_config.json."""
    controlnets: tuple[LoadedControl, ...]
    """In the order asked for."""
    image_encoder: Any | None
    """CLIPVisionModelWithProjection of the IP-Adapter, if there is one."""
    feature_extractor: Any | None
    """CLIPImageProcessor of the IP-Adapter, if there is one."""
    normal_convention: NormalConvention


def _load(folder: Path, load: Callable[..., Any], **options: Any) -> Any:
    """One part from its sub-folder; whatever the library raises becomes a CheckpointError naming the folder."""
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: this part of the model is missing; copy the whole model folder again")
    try:
        return load(folder, local_files_only=True, **options)
    # The libraries raise OSError, ValueError, KeyError, RuntimeError or SafetensorError for one and the same cause.
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(f"{folder}: cannot be loaded ({reason}); copy the whole model folder again") from error


def load_checkpoint(request: CheckpointRequest, *, device: torch.device, dtype: torch.dtype) -> Checkpoint:
    """Load a model with what was added to it.

    Args:
        request: what is loaded.
        device: where the parts are put.
        dtype: of network, ControlNets and text encoders; the VAEs are always float32.

    Raises:
        CheckpointError: something is missing, broken, of another family, or cannot be honoured.
    """
    from diffusers import DDIMScheduler

    entry = find_checkpoint(request.model)
    folder = entry.path
    for kind, _ in request.controls:
        if kind not in entry.controlnets:
            known = ", ".join(entry.controlnets)
            raise CheckpointError(f"{folder}: the model has no ControlNet for {kind!r}; use {known}")
    scheduler = _load(folder / "scheduler", DDIMScheduler.from_pretrained)
    if scheduler.config.prediction_type not in ("epsilon", "v_prediction"):
        raise CheckpointError(
            f"{folder / 'scheduler'}: prediction_type {scheduler.config.prediction_type!r} is not supported; "
            "use a model with epsilon or v_prediction"
        )
    if scheduler.config.clip_sample or scheduler.config.thresholding:
        raise CheckpointError(
            f"{folder / 'scheduler'}: clip_sample and thresholding are for pixel models; set both to false"
        )

    def network(name: str, model_class: Any, part_dtype: torch.dtype) -> Any:
        part = _load(folder / name, model_class.from_pretrained, torch_dtype=part_dtype)
        return part.to(device).eval().requires_grad_(False)

    return Checkpoint(
        family="sd15",
        tokenizers=(_load(folder / "tokenizer", CLIPTokenizer.from_pretrained),),
        text_encoders=(network("text_encoder", CLIPTextModel, dtype),),
        vae=network("vae", AutoencoderKL, torch.float32),
        tiny_vae=None,
        network=network("unet", UNet2DConditionModel, dtype),
        scheduler_config=dict(scheduler.config),
        controlnets=tuple(
            LoadedControl(kind, network(entry.controlnets[kind], ControlNetModel, dtype))
            for kind, _ in request.controls
        ),
        image_encoder=None,
        feature_extractor=None,
        normal_convention=entry.normal_convention,
    )
