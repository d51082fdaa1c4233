"""What the artist chooses for a shot: one property group on the scene, saved with the file.

State of a running job is not here (see `jobs/pump.py`): it must be neither saved nor undone. Only what can change along
a shot can be keyframed (see `animation.py`).
"""

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from ...protocol import CONTROL_KINDS
from ...protocol.looks import DEFAULT_LOOK, LOOKS
from ..compat import RELATIVE_PATH
from ..jobs.properties import DiffsynthJobs
from ..result.properties import DiffsynthResult
from ..source.properties import DiffsynthSource
from . import look_choice
from .control_properties import STILL, DiffsynthControls
from .frame_properties import DiffsynthAttention, DiffsynthKeyFrames, DiffsynthNoise, DiffsynthRegion
from .model_properties import DiffsynthLora, ModelChoice
from .reference_properties import ReferenceChoice
from .steady_properties import DiffsynthSteady


class DiffsynthSettings(ModelChoice, ReferenceChoice, bpy.types.PropertyGroup):
    """How a shot is stylised; reachable as `scene.diffsynth`."""

    source: PointerProperty(name="Source", description="Where the frames come from", type=DiffsynthSource)
    result: PointerProperty(name="Result", description="What becomes of the finished frames", type=DiffsynthResult)
    jobs: PointerProperty(name="Jobs", description="The jobs of this scene", type=DiffsynthJobs)
    controls: PointerProperty(
        name="Controls", description="What of the render the result follows", type=DiffsynthControls
    )
    attention: PointerProperty(
        name="Attention", description="Which frames each frame looks at", type=DiffsynthAttention
    )
    noise: PointerProperty(name="Noise", description="What the denoising starts from", type=DiffsynthNoise)
    key_frames: PointerProperty(name="Key Frames", description="Restyling some frames only", type=DiffsynthKeyFrames)
    deflicker: PointerProperty(name="Deflickering", description="How frames are held steady", type=DiffsynthSteady)
    loras: CollectionProperty(name="LoRAs", description="Adapters of the model", type=DiffsynthLora)
    regions: CollectionProperty(name="Regions", description="Objects with prompts of their own", type=DiffsynthRegion)

    look: EnumProperty(
        name="Look",
        description="What is made of the shot; choosing one sets the values below that suit it",
        items=tuple((look.name.upper(), look.label, look.description) for look in LOOKS.values()),
        default=DEFAULT_LOOK.upper(),
        update=lambda chosen, context: look_choice.fill_in(chosen),
        options=STILL,
    )
    prompt: StringProperty(
        name="Prompt",
        description="What the shot should look like: a style, materials, light. The content comes from the render. "
        "(words:1.3) count more, (words:0.7) less",
        default="",
        options=STILL,
    )
    negative_prompt: StringProperty(
        name="Negative Prompt",
        description="What the result should not look like",
        default="",
        options=STILL,
    )
    strength: FloatProperty(
        name="Style Strength",
        description="How far the result may leave the rendered colours: near 0 keeps them, 1 keeps only the shapes",
        default=0.5,
        min=0.05,
        max=1.0,
        subtype="FACTOR",
        options=STILL,
    )
    guidance_scale: FloatProperty(
        name="Prompt Strength",
        description="How strictly the prompt is followed (guidance scale); very high values exaggerate colours and "
        "contrast. Can be keyframed",
        default=1.5,
        min=1.0,
        max=100.0,
        soft_max=15.0,
    )
    seed: IntProperty(
        name="Seed",
        description="Another seed gives another variation; the same seed gives the same result again",
        default=0,
        min=0,
        options=STILL,
    )
    steps: IntProperty(
        name="Steps",
        description="Denoising steps: more give finer detail and take proportionally longer",
        default=20,
        min=1,
        max=1000,
        soft_max=50,
        options=STILL,
    )
    use_own_range: BoolProperty(
        name="Own Frame Range",
        description="Stylise another range than the scene's frame range",
        default=False,
        options=STILL,
    )
    frame_start: IntProperty(name="Start", description="First frame to stylise", default=1, options=STILL)
    frame_end: IntProperty(name="End", description="Last frame to stylise", default=24, options=STILL)
    frame_step: IntProperty(
        name="Step",
        description="Stylise every n-th frame only; each result is held until the next one",
        default=1,
        min=1,
        options=STILL,
    )
    output_folder: StringProperty(
        name="Output",
        description="Job folder: rendered frames, passes and results of this shot. // means beside the .blend file",
        default="//stylised/",
        subtype="DIR_PATH",
        options=RELATIVE_PATH,
    )
    reuse_capture: BoolProperty(
        name="Reuse Rendered Frames",
        description="Keep the frames rendered for the last run, only stylise again. Turn off after changing the scene",
        default=False,
        options=STILL,
    )
    use_deflicker: BoolProperty(
        name="Hold Steady",
        description="Average each frame with its neighbours along the motion, so that nothing flickers",
        default=True,
        options=STILL,
    )
    hold_colours: FloatProperty(
        name="Hold Colours",
        description="How far the colours of each frame are held to those of the whole shot",
        default=0.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        options=STILL,
    )
    use_attention: BoolProperty(
        name="Look at Other Frames",
        description="Each frame takes its look from others too: the shot is more of a piece, and takes longer",
        default=False,
        options=STILL,
    )
    use_key_frames: BoolProperty(
        name="Key Frames",
        description="Restyle some frames only and carry their look to the others along the motion: much faster",
        default=False,
        options=STILL,
    )
    use_regions: BoolProperty(
        name="Regions",
        description="Give some objects prompts of their own",
        default=False,
        options=STILL,
    )
    keep_rest: BoolProperty(
        name="Keep the Rest",
        description="Everything that belongs to no region stays as it was rendered, bit for bit",
        default=False,
        options=STILL,
    )
    upscale: EnumProperty(
        name="Enlarge",
        description="Make the frames larger before they are restyled; the result has that size",
        items=(
            ("1", "Not at All", "The size of the render"),
            ("2", "Twice", "Two times as wide and as high"),
            ("4", "Four Times", "Four times as wide and as high"),
        ),
        default="1",
        options=STILL,
    )
    active_control: IntProperty(
        name="Control",
        description="The control shown below",
        default=0,
        min=0,
        max=len(CONTROL_KINDS) - 1,
        options=STILL,
    )
    active_lora: IntProperty(name="LoRA", description="The LoRA shown below", default=0, min=0, options=STILL)
    active_region: IntProperty(name="Region", description="The region shown below", default=0, min=0, options=STILL)


CLASSES = (DiffsynthSettings,)
