"""What becomes of a result: what the artist chooses of it."""

import bpy
from bpy.props import BoolProperty, EnumProperty

PLACEMENTS = (
    (
        "NEW",
        "New Strip",
        "A strip above the one that was stylised; a shot that was rendered gets an edit scene of its own, where its "
        "frames are shown exactly",
    ),
    (
        "REPLACE",
        "In Place of the Strip",
        "A strip in place of the one that was stylised, or of those that show this scene: same channel, timing, "
        "handles, position and blending. The original is kept, muted, and Restore brings it back",
    ),
    ("NONE", "Frames Only", "No strip; the frames are in the output folder"),
)


class DiffsynthResult(bpy.types.PropertyGroup):
    """Where the frames go when they are done; reachable as `scene.diffsynth.result`."""

    placement: EnumProperty(
        name="Show As",
        description=(
            "What becomes of the finished frames in the sequencer. A strip of an earlier run is renewed where it is"
        ),
        items=PLACEMENTS,
        default="NEW",
    )
    use_compositor: BoolProperty(
        name="In the Compositor",
        description="Let the finished frames take the place of the Render Layers image in this scene's compositor",
        default=False,
    )
    stylise_after_render: BoolProperty(
        name="Stylise After Rendering",
        description=(
            "When the animation has been rendered, stylise the shot as well; without a window too, as on a farm with "
            "blender -b file.blend -a"
        ),
        default=False,
    )


CLASSES = (DiffsynthResult,)
