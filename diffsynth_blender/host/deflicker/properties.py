"""What the artist chooses for a deflickering: one property group on the scene, saved with the file."""

from pathlib import Path

import bpy
from bpy.props import EnumProperty, IntProperty, PointerProperty, StringProperty

from ...protocol import DEFAULT_MODE, DEFAULT_WINDOW, WINDOW_LIMIT, BadJobError
from ..compat import RELATIVE_PATH
from ..folder_name import folder_name


class DiffsynthDeflicker(bpy.types.PropertyGroup):
    """How a strip is made steady; reachable as `scene.diffsynth_deflicker`."""

    mode: EnumProperty(
        name="Mode",
        description="How frames are blended with their neighbours",
        items=(
            ("FAST", "Fast", "Blends of neighbours are shared between frames: quick, also for wide windows"),
            ("BALANCED", "Balanced", "Each frame is blended with every neighbour in its window"),
            ("ACCURATE", "Accurate", "As Balanced, and every neighbour is fitted to the others: the sharpest result"),
            (
                "KEYFRAMES",
                "Key Frames",
                "All frames are made from a few painted ones: the selected image strips, whose files are named by "
                "the frames they were painted over",
            ),
        ),
        default=DEFAULT_MODE.upper(),
    )
    window: IntProperty(
        name="Window",
        description="How many neighbouring frames before and after take part in making a frame steady",
        default=DEFAULT_WINDOW,
        min=1,
        max=WINDOW_LIMIT,
        soft_max=16,
    )
    guide: EnumProperty(
        name="Guide",
        description="What shows how things move from frame to frame",
        items=(
            ("STRIP", "Strip Itself", "The motion is found by comparing the frames of the strip itself"),
            ("OTHER", "Other Strip", "The motion is found by comparing the frames of another strip: the plain render"),
            (
                "SHOT",
                "Captured Shot",
                "The exact motion, from the passes that Stylise or export-job captured of this scene or of this "
                "strip's job folder",
            ),
        ),
        default="STRIP",
    )
    guide_strip: StringProperty(
        name="Guide Strip",
        description="The strip that shows the same motion without flicker, such as the plain render",
        default="",
    )
    device: EnumProperty(
        name="Device",
        description="Where the worker computes",
        items=(
            ("AUTO", "Automatic", "The graphics card when the worker can use one, else the processor"),
            ("CPU", "CPU", "The processor: works everywhere"),
            ("CUDA", "CUDA", "An NVIDIA graphics card; an error when there is none"),
        ),
        default="AUTO",
    )
    output_folder: StringProperty(
        name="Output",
        description="Where the steady frames go, a folder for each strip. // means beside the .blend file",
        default="//deflickered/",
        subtype="DIR_PATH",
        options=RELATIVE_PATH,
    )


def deflicker_folder(scene: bpy.types.Scene, strip_name: str) -> Path:
    """Where the frames of a strip go. Raises BadJobError when it depends on a file that was never saved."""
    chosen = scene.diffsynth_deflicker.output_folder
    if not chosen:
        raise BadJobError("no output folder is chosen; set Output")
    if chosen.startswith("//") and not bpy.data.filepath:
        raise BadJobError(
            "the output folder lies beside the .blend file, which is not saved yet; save it, or choose another"
        )
    folder = Path(bpy.path.abspath(chosen)).resolve()
    return folder / f"{folder_name(scene.name)}-{folder_name(strip_name)}"


CLASSES = (DiffsynthDeflicker,)


def register() -> None:
    """Attach the choices to every scene."""
    bpy.types.Scene.diffsynth_deflicker = PointerProperty(type=DiffsynthDeflicker)


def unregister() -> None:
    """Detach them again; what files hold is kept by Blender as plain data."""
    del bpy.types.Scene.diffsynth_deflicker
