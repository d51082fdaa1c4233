"""The checkpoints this product knows by name. A literal table; everything else is a folder given by its path."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

NormalConvention = Literal["opengl"]
"""Colours of a normal map. opengl: camera space, X right, Y up, Z to the camera, rgb = (n + 1) / 2."""


@dataclass(frozen=True)
class CheckpointEntry:
    """A checkpoint in the diffusers layout, with ControlNets in folders beside the U-Net."""

    folder: Path
    controlnets: dict[str, str]
    """Control kind → sub-folder."""
    normal_convention: NormalConvention


PACKAGE = Path(__file__).resolve().parents[1]

CHECKPOINTS: dict[str, CheckpointEntry] = {
    "demo": CheckpointEntry(
        folder=PACKAGE / "demo" / "model",
        controlnets={"depth": "controlnet_depth", "normal": "controlnet_normal"},
        normal_convention="opengl",
    ),
}


def find_checkpoint(model: str) -> CheckpointEntry:
    """The entry of a name in the table, or of a folder in the same layout as the demo model.

    Raises FileNotFoundError naming the folder and what it lacks.
    """
    entry = CHECKPOINTS.get(model)
    if entry is None:
        folder = Path(model)
        if not folder.is_absolute():
            known = ", ".join(CHECKPOINTS)
            raise FileNotFoundError(f"model {model!r} is not known; use one of: {known}, or an absolute folder path")
        demo = CHECKPOINTS["demo"]
        entry = CheckpointEntry(folder, demo.controlnets, demo.normal_convention)
    if not (entry.folder / "model_index.json").is_file():
        raise FileNotFoundError(
            f"{entry.folder}: no model_index.json, so this is no model in the diffusers layout; choose another folder"
        )
    return entry
