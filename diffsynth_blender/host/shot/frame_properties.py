"""How the frames of a shot share work and looks: attention, noise, key frames; and what parts of them are restyled."""

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

from .control_properties import STILL


class DiffsynthAttention(bpy.types.PropertyGroup):
    """Which frames each frame looks at while it is made; reachable as `scene.diffsynth.attention`."""

    frames: EnumProperty(
        name="Looks At",
        description="Which frames each frame takes its look from, besides itself",
        items=(
            ("FIRST", "First", "The first frame of the window: nothing drifts over a long shot"),
            ("PREVIOUS", "Previous", "The frame before"),
            ("NEXT", "Next", "The frame after"),
        ),
        options={"ENUM_FLAG"},
        default={"FIRST", "PREVIOUS", "NEXT"},
    )
    window: IntProperty(
        name="Window",
        description="How many frames go through the model together; this decides the memory a job takes",
        default=8,
        min=2,
        max=1024,
        soft_max=32,
        options=STILL,
    )
    stride: IntProperty(
        name="Stride",
        description="From one window to the next [frames]; smaller than the window, windows overlap and are averaged",
        default=6,
        min=1,
        max=1024,
        soft_max=32,
        options=STILL,
    )
    motion: EnumProperty(
        name="Along the Motion",
        description="What else each point of the picture looks at",
        items=(
            ("OFF", "Nothing", "Whole frames only"),
            (
                "TRAJECTORY",
                "Its Path",
                "The same point of the scene in all frames of the window, in an attention of its own",
            ),
            ("CORRESPONDENCE", "Neighbouring Frames", "Where neighbouring frames show the same point of the scene"),
        ),
        default="OFF",
        options=STILL,
    )


class DiffsynthNoise(bpy.types.PropertyGroup):
    """What the denoising starts from; reachable as `scene.diffsynth.noise`."""

    kind: EnumProperty(
        name="Noise",
        description="What the pictures are made from, beside the render",
        items=(
            ("FIXED", "Fixed to the Screen", "The same for every frame"),
            ("SURFACE", "Fixed to Surfaces", "Moves with the surfaces of the scene"),
            ("INDEPENDENT", "Independent", "Another for each frame: flickers, for comparison"),
        ),
        default="FIXED",
        options=STILL,
    )
    fresh: FloatProperty(
        name="Fresh Share",
        description="Share of the noise that is another in each frame: less sticks to the screen or to surfaces, "
        "and more flickers",
        default=0.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        options=STILL,
    )


class DiffsynthKeyFrames(bpy.types.PropertyGroup):
    """Restyling some frames only; reachable as `scene.diffsynth.key_frames`."""

    every: IntProperty(
        name="Every",
        description="From one restyled frame to the next [frames]; the motion carries their look to those in between",
        default=4,
        min=2,
        max=1000,
        soft_max=24,
        options=STILL,
    )
    repair: BoolProperty(
        name="Restyle What Comes in Sight",
        description="In the frames between, also restyle what no key frame shows; else it is filled from around",
        default=True,
        options=STILL,
    )


class DiffsynthRegion(bpy.types.PropertyGroup):
    """Some objects with a prompt of their own; an item of `scene.diffsynth.regions`."""

    collection: PointerProperty(
        name="Restyled Objects",
        description="Collection of the objects to restyle, those of its child collections too",
        type=bpy.types.Collection,
    )
    prompt: StringProperty(
        name="Prompt for the Objects",
        description="What the chosen objects should look like; left empty, the prompt of the whole shot",
        default="",
        options=STILL,
    )


CLASSES = (DiffsynthAttention, DiffsynthNoise, DiffsynthKeyFrames, DiffsynthRegion)
