"""The deflickering inside the denoising loop: what the artist chooses of it.

Not the deflickering of a finished strip, which is in deflicker/properties.py.
"""

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from .control_properties import STILL


class DiffsynthSteady(bpy.types.PropertyGroup):
    """How frames are held steady; reachable as `scene.diffsynth.deflicker`."""

    along: EnumProperty(
        name="Along",
        description="What tells which points of neighbouring frames belong together",
        items=(
            ("EXACT", "Exact Motion", "The motion of the render's passes"),
            (
                "REPAIRED",
                "Motion and Patches",
                "The motion of the passes, and patches of the picture where that shows something else, such as in "
                "reflections; takes longer",
            ),
            ("MATCHED", "Patches", "Patches of the picture alone, as for footage without passes"),
        ),
        default="EXACT",
        options=STILL,
    )
    window: IntProperty(
        name="Window",
        description="How many neighbouring frames before and after take part in holding a frame steady",
        default=4,
        min=0,
        max=1000,
        soft_max=16,
        options=STILL,
    )
    strength: FloatProperty(
        name="Strength",
        description="0 leaves every frame as it is, 1 replaces it by the average of its window. Can be keyframed",
        default=1.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    interval: IntProperty(
        name="Step Interval",
        description="Hold steady at every how many-th denoising step: 1 for each of them; fewer are faster and sharper",
        default=1,
        min=1,
        max=1000,
        soft_max=10,
        options=STILL,
    )
    skip_last: IntProperty(
        name="Free Last Steps",
        description="How many denoising steps at the end are left alone: a few keep fine detail sharp",
        default=3,
        min=0,
        max=1000,
        soft_max=10,
        options=STILL,
    )
    final: BoolProperty(
        name="Finished Frames Too",
        description="Also hold the finished frames steady: the last trace of flicker goes, and a little sharpness",
        default=False,
        options=STILL,
    )
    use_schedule: BoolProperty(
        name="Schedule",
        description="Other values early than late in the denoising, in place of those above",
        default=False,
        options=STILL,
    )
    window_schedule: StringProperty(
        name="Windows",
        description="Windows from the first denoising step to the last, spread evenly over them, such as 8, 4, 1. "
        "Empty for the one above",
        default="",
        options=STILL,
    )
    strength_schedule: StringProperty(
        name="Strengths",
        description="Strengths from the first denoising step to the last, spread evenly over them, such as 1, 0.5. "
        "Empty for the one above",
        default="",
        options=STILL,
    )
    steps: StringProperty(
        name="Steps",
        description="The denoising steps to hold steady at, 0 the first, such as 2, 6, 10; in place of the interval "
        "and the free last steps. Empty for those",
        default="",
        options=STILL,
    )


CLASSES = (DiffsynthSteady,)
