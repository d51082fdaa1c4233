"""What belongs to the machine and not to a shot: the worker's environment, and the models."""

import os
from pathlib import Path

import bpy
from bpy.props import PointerProperty, StringProperty

from ..environment.layout import Layout
from ..protocol import DeviceMissingError
from .addon_id import ADDON_ID
from .setup.models_found import draw_found
from .setup.models_panel import draw_models
from .setup.models_properties import DiffsynthModels
from .setup.operators import chosen_setup
from .setup.panel import draw_check, draw_run, draw_setup
from .setup.properties import DiffsynthSetup, folder_of

PYTHON_VARIABLE = "DIFFSYNTH_WORKER_PYTHON"


class DiffsynthPreferences(bpy.types.AddonPreferences):
    """Shown under the extension's entry in Blender's preferences."""

    bl_idname = ADDON_ID

    worker_python: StringProperty(
        name="Worker Python",
        description=(
            "A Python of yours that has the worker's packages, in place of the environment below. "
            f"When empty, the environment variable {PYTHON_VARIABLE} is used where it is set"
        ),
        default="",
        subtype="FILE_PATH",
    )
    setup: PointerProperty(name="Set-Up", description="How the worker's environment is made", type=DiffsynthSetup)
    models: PointerProperty(name="Models", description="Where models come from and lie", type=DiffsynthModels)

    def draw(self, context: bpy.types.Context) -> None:
        """The environment, or the interpreter that takes its place, and whether it works."""
        if draw_run(self.layout, context):
            return
        column = self.layout.column()
        column.use_property_split = True
        column.prop(self, "worker_python")
        variable = os.environ.get(PYTHON_VARIABLE)
        if not self.worker_python and variable:
            column.label(text=f"From {PYTHON_VARIABLE}: {variable}")
        elif not self.worker_python:
            draw_setup(self.layout.column(), self.setup)
        draw_check(self.layout)
        column = self.layout.box().column()
        draw_models(column, self.models)
        draw_found(column, context)


def worker_python(chosen: Path | str | None = None) -> Path:
    """The worker's interpreter: the argument, else the preference, the environment variable, the environment set up.

    Raises DeviceMissingError when there is none, or the file that is given does not exist.
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
    layout = Layout(folder_of(chosen_setup()))
    if layout.state() == "ready":
        return layout.python
    raise DeviceMissingError(
        "the worker's environment is not set up; press Set Up in the extension's preferences, or give Worker Python "
        f"there or in {PYTHON_VARIABLE}"
    )


CLASSES = (DiffsynthPreferences,)
