"""Where models come from and where they lie: choices of the machine, kept in the preferences."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import EnumProperty, StringProperty

from ...protocol.known_model import FAMILY_LABELS
from ..addon_id import ADDON_ID, user_folder


class DiffsynthModels(bpy.types.PropertyGroup):
    """The folder of models, and the hub."""

    folder: StringProperty(
        name="Folder",
        description="Where downloaded and imported models lie; left empty, the extension's own user folder",
        default="",
        subtype="DIR_PATH",
    )
    family: EnumProperty(
        name="Family",
        description="Which models are fetched for a look where the shot has none yet",
        items=(
            ("SD15", FAMILY_LABELS["sd15"], "Has a ControlNet for everything; for frames of about 512 pixels"),
            (
                "SDXL",
                FAMILY_LABELS["sdxl"],
                "Finer pictures, for frames of about 1024 pixels; takes three times as much",
            ),
        ),
        default="SD15",
    )
    endpoint: StringProperty(
        name="Hub Mirror",
        description="URL of a mirror of the model hub; left empty, what HF_ENDPOINT says, else the public hub",
        default="",
    )
    token: StringProperty(
        name="Token",
        description="For models whose licence must be accepted on the hub first. Blender keeps it in its preferences, "
        "readable by whoever reads those: the variable HF_TOKEN is the safer place",
        default="",
        subtype="PASSWORD",
    )


def chosen_models() -> DiffsynthModels | None:
    """The choices in the preferences; None where the package was imported plainly."""
    addon = bpy.context.preferences.addons.get(ADDON_ID)
    return addon.preferences.models if addon and addon.preferences else None


def models_folder() -> Path:
    """Where models lie."""
    chosen = chosen_models()
    if chosen is not None and chosen.folder:
        return Path(bpy.path.abspath(chosen.folder)).absolute()
    return user_folder() / "models"


def preferred_family() -> str:
    """What is fetched where the shot decides nothing."""
    chosen = chosen_models()
    return chosen.family.lower() if chosen is not None else "sd15"


CLASSES = (DiffsynthModels,)
