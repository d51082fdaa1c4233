"""The checkpoints this product knows by name. A literal table; everything else is given by its path."""

from dataclasses import dataclass
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
    """A checkpoint: a folder in the diffusers layout, with ControlNets in folders beside the U-Net, or one file."""

    path: Path
    controlnets: dict[str, str]
    """Control kind → sub-folder; none for a single file."""
    normal_convention: NormalConvention

    @property
    def is_file(self) -> bool:
        """Whether everything is in one .safetensors file."""
        return self.path.suffix.lower() == ".safetensors"


PACKAGE = Path(__file__).resolve().parents[1]

CHECKPOINTS: dict[str, CheckpointEntry] = {
    "demo": CheckpointEntry(
        path=PACKAGE / "demo" / "model",
        controlnets={"depth": "controlnet_depth", "normal": "controlnet_normal"},
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
        prefix = f"{CONTROLNET_FOLDER}*"
        controlnets = {
            folder.name.removeprefix(CONTROLNET_FOLDER): folder.name
            for folder in sorted(path.glob(prefix))
            if folder.is_dir()
        }
        entry = CheckpointEntry(path, controlnets, "bae")
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
