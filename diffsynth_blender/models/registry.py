"""The checkpoints this product knows by name. A literal table; everything else is given by its path."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from .errors import CheckpointError
from .header import refuse_pickles

NormalConvention = Literal["opengl", "bae"]
"""Colours of a normal map, in camera space, Y up and Z to the camera, rgb = (n + 1) / 2. opengl: X right; bae: X left,
as the ControlNets that people use were trained with ("blue is front, red is left, green is top", ControlNet 1.1)."""

CONTROLNET_FOLDER = "controlnet_"
"""What the name of a ControlNet's folder inside a model folder begins with; the control kind follows."""


@dataclass(frozen=True)
class CheckpointEntry:
    """A checkpoint: a folder in the diffusers layout, or one file; its ControlNets lie in that folder or beside it."""

    path: Path
    controlnets: dict[str, str]
    """Control kind → name of a folder, or beside a single file also of a .safetensors file, in `folder`."""
    normal_convention: NormalConvention

    @property
    def is_file(self) -> bool:
        """Whether everything is in one .safetensors file."""
        return self.path.suffix.lower() == ".safetensors"

    @property
    def folder(self) -> Path:
        """Where what belongs to the model lies."""
        return self.path.parent if self.is_file else self.path


PACKAGE = Path(__file__).resolve().parents[1]

CHECKPOINTS: dict[str, CheckpointEntry] = {
    "demo": CheckpointEntry(
        path=PACKAGE / "demo" / "model",
        controlnets={kind: f"controlnet_{kind}" for kind in ("depth", "normal", "tile")},
        normal_convention="opengl",
    ),
}


@dataclass(frozen=True)
class AnnotatorWeights:
    """What an estimator of controls loads."""

    files: tuple[str, ...]
    """Names in the folder of the annotators' weights, as in the collection lllyasviel/Annotators."""
    licence: str
    """Of the weights."""


ANNOTATOR_WEIGHTS: dict[str, AnnotatorWeights] = {
    "hed": AnnotatorWeights(("ControlNetHED.pth",), "Apache-2.0"),
    "pidi": AnnotatorWeights(("table5_pidinet.pth",), "research only; ask the authors of PiDiNet for other use"),
    "lineart": AnnotatorWeights(("sk_model.pth", "sk_model2.pth"), "MIT"),
    "lineart_anime": AnnotatorWeights(("netG.pth",), "MIT"),
    "midas": AnnotatorWeights(("dpt_hybrid-midas-501f0c75.pt",), "MIT"),
    "zoe": AnnotatorWeights(("ZoeD_M12_N.pt",), "MIT"),
    "normalbae": AnnotatorWeights(("scannet.pt",), "MIT"),
}
"""By the annotator's name; those that need no weights are not here."""


def find_checkpoint(model: str) -> CheckpointEntry:
    """The entry of a name in the table, of a folder in the diffusers layout, or of a .safetensors file.

    Raises CheckpointError naming the path and what it lacks.
    """
    entry = CHECKPOINTS.get(model)
    if entry is None:
        path = Path(model)
        if not path.is_absolute():
            known = ", ".join(CHECKPOINTS)
            raise CheckpointError(f"model {model!r} is not known; use one of: {known}, or an absolute path")
        entry = CheckpointEntry(path, {}, "bae")
        entry = replace(entry, controlnets=_controlnets(entry))
    refuse_pickles(entry.path)
    if entry.is_file:
        if not entry.path.is_file():
            raise CheckpointError(f"{entry.path}: no such file; choose another model")
    elif not (entry.path / "model_index.json").is_file():
        raise CheckpointError(
            f"{entry.path}: no model_index.json, so this is no model in the diffusers layout; "
            "choose another folder, or a .safetensors file"
        )
    return entry


def _controlnets(entry: CheckpointEntry) -> dict[str, str]:
    """Folders of a model folder, and folders and files beside a single file, that are named as ControlNets."""
    found = {}
    for path in sorted(entry.folder.glob(f"{CONTROLNET_FOLDER}*")):
        if path.is_dir():
            found[path.name.removeprefix(CONTROLNET_FOLDER)] = path.name
        elif entry.is_file and path.suffix.lower() == ".safetensors":
            found[path.stem.removeprefix(CONTROLNET_FOLDER)] = path.name
    return found
