"""What belongs to the machine and not to a shot: where the worker's Python is."""

import os
from pathlib import Path

import bpy
from bpy.props import StringProperty

from ..protocol import DeviceMissingError

# As an extension this package is `bl_ext.<repository>.diffsynth_blender.diffsynth_blender.host`, and Blender knows the
# add-on by the first three parts. Imported plainly it is `diffsynth_blender.host`.
ADDON_ID = ".".join(__package__.split(".")[:3]) if __package__.startswith("bl_ext.") else __package__.partition(".")[0]

PYTHON_VARIABLE = "DIFFSYNTH_WORKER_PYTHON"


class DiffsynthPreferences(bpy.types.AddonPreferences):
    """Shown under the extension's entry in Blender's preferences."""

    bl_idname = ADDON_ID

    worker_python: StringProperty(
        name="Worker Python",
        description=(
            "Python interpreter of the worker's environment (the one with torch and diffusers). "
            f"When empty, the environment variable {PYTHON_VARIABLE} is used"
        ),
        default="",
        subtype="FILE_PATH",
    )

    def draw(self, context: bpy.types.Context) -> None:
        """One path, and what happens without it."""
        column = self.layout.column()
        column.prop(self, "worker_python")
        if not self.worker_python:
            variable = os.environ.get(PYTHON_VARIABLE)
            column.label(
                text=f"From {PYTHON_VARIABLE}: {variable}" if variable else f"{PYTHON_VARIABLE} is not set either"
            )


def worker_python(chosen: Path | str | None = None) -> Path:
    """The worker's interpreter: the argument, else the preference, else the environment variable.

    Raises DeviceMissingError when none is given or the file does not exist.
    """
    addon = bpy.context.preferences.addons.get(ADDON_ID)
    preferred = bpy.path.abspath(addon.preferences.worker_python) if addon and addon.preferences else ""
    for origin, value in (
        ("the argument worker_python", chosen),
        ("the preference Worker Python", preferred),
        (f"the environment variable {PYTHON_VARIABLE}", os.environ.get(PYTHON_VARIABLE)),
    ):
        if value:
            # Not resolve(): a virtual environment's python is a link, and following it would leave the environment.
            path = Path(value).absolute()
            if not path.is_file():
                raise DeviceMissingError(f"{path}: no such interpreter; correct {origin}")
            return path
    raise DeviceMissingError(
        f"the worker's Python is not known; set Worker Python in the extension's preferences, or {PYTHON_VARIABLE}"
    )


CLASSES = (DiffsynthPreferences,)
