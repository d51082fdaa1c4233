"""Load a checkpoint from a local folder in the diffusers layout. Never touches the network."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, ControlNetModel, DDIMScheduler, UNet2DConditionModel
from diffusers.utils import logging as diffusers_logging
from transformers import CLIPTextModel, CLIPTokenizer
from transformers.utils import logging as transformers_logging

from .registry import CheckpointEntry

# The libraries' own progress bars would run through the worker's log, which people read when a job fails.
diffusers_logging.disable_progress_bar()
transformers_logging.disable_progress_bar()


class CheckpointError(ValueError):
    """A checkpoint that is there but cannot be used; the message names the folder and the remedy."""


@dataclass(frozen=True)
class Checkpoint:
    """The parts of a Stable-Diffusion-like latent diffusion model, ready for inference on one device."""

    tokenizer: CLIPTokenizer
    text_encoder: CLIPTextModel
    vae: AutoencoderKL
    """float32: the deflickering takes differences of its outputs."""
    unet: UNet2DConditionModel
    scheduler: DDIMScheduler
    controlnets: dict[str, ControlNetModel]
    """By control kind."""


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


def load_checkpoint(
    entry: CheckpointEntry, *, control_kinds: Sequence[str], device: torch.device, dtype: torch.dtype
) -> Checkpoint:
    """Load a model and the ControlNets of the kinds that are used.

    Args:
        entry: where the parts lie.
        control_kinds: kinds of control that will be fed.
        device: where the parts are put.
        dtype: of the U-Net, the ControlNets and the text encoder; the VAE is always float32.

    Raises:
        CheckpointError: a part is missing or broken, the model has no ControlNet of a kind, or its scheduler's
            settings cannot be honoured.
    """
    folder = entry.folder
    for kind in control_kinds:
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
        tokenizer=_load(folder / "tokenizer", CLIPTokenizer.from_pretrained),
        text_encoder=network("text_encoder", CLIPTextModel, dtype),
        vae=network("vae", AutoencoderKL, torch.float32),
        unet=network("unet", UNet2DConditionModel, dtype),
        scheduler=scheduler,
        controlnets={kind: network(entry.controlnets[kind], ControlNetModel, dtype) for kind in control_kinds},
    )
