"""What a shot adds to its model, as far as it can be fetched: LoRAs, an IP-Adapter, a VAE, the quick decoder."""

from __future__ import annotations

from pathlib import Path

import bpy

from ...protocol.known_model import KnownModel
from ...protocol.known_models import KNOWN_MODELS
from ..shot.choices import absolute
from .models_properties import models_folder

TINY_VAE_FOLDER = "vae_tiny"
"""In a model's folder, or beside its file: where the worker looks for the quick decoder."""


def known_file(path: str) -> KnownModel | None:
    """The known model that a path is meant for, by where it lies in a folder of models; None for any other."""
    place = Path(path).parts[-2:]
    for model in KNOWN_MODELS.values():
        target = Path(model.files[0].target)
        if place == target.parts[-2:]:
            return model
    return None


def lost_files(chosen: bpy.types.PropertyGroup) -> list[str]:
    """Absolute paths of what is added to the model and is not there."""
    paths = [lora.path for lora in chosen.loras]
    paths += [chosen.ip_adapter] if chosen.use_reference else []
    paths += [chosen.vae] if chosen.model != "DEMO" else []
    return [path for path in map(absolute, filter(None, paths)) if not Path(path).exists()]


def lacks_quick_decoder(chosen: bpy.types.PropertyGroup, model: Path | None, family: str) -> bool:
    """Whether the shot wants a quick decoder which its model has not, though one could be fetched beside it."""
    if not (chosen.tiny_vae and chosen.use_deflicker and model is not None):
        return False
    folder = model if model.is_dir() else model.parent
    return folder == models_folder().resolve() / family and not (folder / TINY_VAE_FOLDER).is_dir()


def few_steps(lora: bpy.types.PropertyGroup) -> KnownModel | None:
    """The known few-step LoRA that an item of the list is; None for any other."""
    model = known_file(lora.path)
    return model if model is not None and model.kind == "lora" and model.steps else None
