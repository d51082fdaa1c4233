"""What a shot's settings need of models, and what of it is not there. Looks at names alone: drawing asks it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bpy

from ...protocol import BadJobError
from ...protocol.known_models import KNOWN_MODELS, base_of, controlnet_for, needed_for
from ..shot.choices import absolute, read_controls
from ..shot.control_properties import LABELS
from .models_extras import known_file, lacks_quick_decoder, lost_files
from .models_properties import models_folder, preferred_family

UNION_KINDS = KNOWN_MODELS["sdxl-union"].controls


@dataclass(frozen=True)
class Needs:
    """What a shot lacks."""

    family: str
    """As far as paths tell; "" where the model's file must be asked."""
    base: bool
    """Whether it has no model."""
    controls: tuple[str, ...]
    """Kinds of control without a ControlNet."""
    files: tuple[str, ...] = ()
    """Paths of LoRAs, an IP-Adapter or a VAE that are chosen and not there."""
    quick_decoder: bool = False
    """Whether there is no quick decoder where one is wanted: a job does without."""

    @property
    def sentence(self) -> str:
        """What is missing, for people; "" for nothing."""
        nets = " and ".join(filter(None, (", ".join(LABELS[kind] for kind in self.controls[:-1]), self._last)))
        parts = (["a model"] if self.base else []) + ([f"a ControlNet for {nets}"] if nets else [])
        parts += [Path(path).name for path in self.files]
        return f"Missing: {', '.join(parts)}" if parts else ""

    @property
    def advice(self) -> str:
        """What would do good, for people; "" for nothing."""
        return (
            "Holding steady is much faster with a quick decoder, which this model lacks" if self.quick_decoder else ""
        )

    @property
    def can_be_fetched(self) -> bool:
        """Whether any of it is known, as far as names tell."""
        return self.base or bool(self.controls) or self.quick_decoder or any(map(known_file, self.files))

    @property
    def _last(self) -> str:
        return LABELS[self.controls[-1]] if self.controls else ""

    def names(self, family: str) -> tuple[list[str], list[str]]:
        """The known models of a family that fill the gaps, and kinds of control for which there is none."""
        fitting = {kind: controlnet_for(family, kind) for kind in self.controls}
        names = [base_of(family).name] if self.base else []
        names += dict.fromkeys(model.name for model in fitting.values() if model is not None)
        names += [model.name for model in map(known_file, self.files) if model is not None]
        names += [f"{family}-tiny-vae"] if self.quick_decoder else []
        return names, [kind for kind, model in fitting.items() if model is None]


def needs_of(chosen: bpy.types.PropertyGroup) -> Needs:
    """What the settings of a shot (`scene.diffsynth`) lack. The demo model has all it can use."""
    if chosen.model == "DEMO":
        return Needs(preferred_family(), False, (), tuple(lost_files(chosen)))
    model = model_path(chosen)
    is_there = model is not None and model.exists()
    try:
        controls = read_controls(chosen, {})
    except BadJobError:
        controls = ()  # half-made choices: the button says what is wrong with them
    lacking = tuple(control.kind for control in controls if not _has_net(control.kind, control.model, model, is_there))
    family = _family(model) if is_there else preferred_family()
    decoder = is_there and lacks_quick_decoder(chosen, model, family)
    return Needs(family, not is_there, lacking, tuple(lost_files(chosen)), decoder)


def needs_of_look(chosen: bpy.types.PropertyGroup, controls: tuple[str, ...], family: str) -> Needs:
    """What a look needs that is not in the folder of models, where the shot still has the demo model."""
    folder = models_folder()
    missing = [
        model
        for model in needed_for(family, controls)
        if not all((folder / file.target).is_file() for file in model.files)
    ]
    kinds = tuple(kind for kind in controls if controlnet_for(family, kind) in missing)
    return Needs(family, base_of(family) in missing, kinds)


def model_path(chosen: bpy.types.PropertyGroup) -> Path | None:
    """The model's file or folder; None for the demo model and where none is chosen."""
    text = {"FOLDER": chosen.model_folder, "FILE": chosen.model_file}.get(chosen.model, "")
    return Path(absolute(text)) if text else None


def _has_net(kind: str, given: str, model: Path | None, is_there: bool) -> bool:
    if given:
        return Path(given).exists()
    if not is_there or model is None:
        return False
    folder = model if model.is_dir() else model.parent
    names = [kind, "union"] if kind in UNION_KINDS else [kind]
    return any(
        (folder / f"controlnet_{name}").is_dir()
        or (model.is_file() and (folder / f"controlnet_{name}.safetensors").is_file())
        for name in names
    )


def _family(model: Path | None) -> str:
    """By where downloads and imports put a model; "" for one from elsewhere."""
    try:
        family = model.relative_to(models_folder().resolve()).parts[0] if model is not None else ""
    except (ValueError, IndexError):
        return ""
    return family if family in ("sd15", "sdxl") else ""
