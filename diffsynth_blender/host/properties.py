"""What the artist chooses for a shot: one property group on the scene, saved with the file.

State of a running job is not here (see `pump.py`): it must be neither saved nor undone.
"""

from dataclasses import replace
from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

from ..protocol import BadJobError, Control, Deflicker, Reference, Settings
from ..protocol.looks import DEFAULT_LOOK, LOOKS, apply_look, check_look
from . import look_choice
from .job_properties import DiffsynthJobs
from .result_properties import DiffsynthResult
from .source_properties import DiffsynthSource


class DiffsynthSettings(bpy.types.PropertyGroup):
    """How a shot is stylised; reachable as `scene.diffsynth`."""

    source: PointerProperty(name="Source", description="Where the frames come from", type=DiffsynthSource)
    result: PointerProperty(name="Result", description="What becomes of the finished frames", type=DiffsynthResult)
    jobs: PointerProperty(name="Jobs", description="The jobs of this scene", type=DiffsynthJobs)

    look: EnumProperty(
        name="Look",
        description="What is made of the shot; choosing one sets the values below that suit it",
        items=tuple((look.name.upper(), look.label, look.description) for look in LOOKS.values()),
        default=DEFAULT_LOOK.upper(),
        update=lambda chosen, context: look_choice.fill_in(chosen),
    )
    reference_image: StringProperty(
        name="Reference Picture",
        description="A PNG file whose look is taken over",
        default="",
        subtype="FILE_PATH",
    )
    region: PointerProperty(
        name="Restyled Objects",
        description="Collection of the objects to restyle, those of its child collections too; the rest stays",
        type=bpy.types.Collection,
    )
    region_prompt: StringProperty(
        name="Prompt for the Objects",
        description="What the chosen objects should look like; left empty, the prompt of the whole shot",
        default="",
    )

    prompt: StringProperty(
        name="Prompt",
        description="What the shot should look like: a style, materials, light. The content comes from the render",
        default="",
    )
    negative_prompt: StringProperty(
        name="Negative Prompt",
        description="What the result should not look like",
        default="",
    )
    strength: FloatProperty(
        name="Style Strength",
        description="How far the result may leave the rendered colours: near 0 keeps them, 1 keeps only the shapes",
        default=0.5,
        min=0.05,
        max=1.0,
        subtype="FACTOR",
    )
    seed: IntProperty(
        name="Seed",
        description="Another seed gives another variation; the same seed gives the same result again",
        default=0,
        min=0,
    )
    guidance_scale: FloatProperty(
        name="Guidance",
        description="How strictly the prompt is followed; very high values exaggerate colours and contrast",
        default=1.5,
        min=1.0,
        max=20.0,
        soft_max=10.0,
    )
    steps: IntProperty(
        name="Steps",
        description="Denoising steps: more give finer detail and take proportionally longer",
        default=20,
        min=1,
        max=1000,
        soft_max=50,
    )
    use_own_range: BoolProperty(
        name="Own Frame Range",
        description="Stylise another range than the scene's frame range",
        default=False,
    )
    frame_start: IntProperty(name="Start", description="First frame to stylise", default=1)
    frame_end: IntProperty(name="End", description="Last frame to stylise", default=24)
    frame_step: IntProperty(
        name="Step",
        description="Stylise every n-th frame only; each result is held until the next one",
        default=1,
        min=1,
    )
    model: EnumProperty(
        name="Model",
        description="Which diffusion model makes the pictures",
        items=(
            ("DEMO", "Demo", "The small model that comes with the extension: for trying things out, small frames"),
            ("FOLDER", "Folder", "A model of yours on disk, in the layout of the diffusers library"),
        ),
        default="DEMO",
        update=lambda chosen, context: look_choice.change_model(chosen),
    )
    model_folder: StringProperty(
        name="Model Folder",
        description="Folder of the model: it holds model_index.json",
        default="",
        subtype="DIR_PATH",
    )
    depth_scale: FloatProperty(
        name="Depth Control",
        description="How strictly the result follows the depth of the scene; 0 ignores it",
        default=1.0,
        min=0.0,
        max=2.0,
    )
    normal_scale: FloatProperty(
        name="Normal Control",
        description="How strictly the result follows the surface directions of the scene; 0 ignores them",
        default=1.0,
        min=0.0,
        max=2.0,
    )
    use_deflicker: BoolProperty(
        name="Hold Steady",
        description="Average each frame with its neighbours along the scene's exact motion, so that nothing flickers",
        default=True,
    )
    window: IntProperty(
        name="Window",
        description="How many neighbouring frames before and after take part in holding a frame steady",
        default=4,
        min=1,
        max=64,
        soft_max=16,
    )
    device: EnumProperty(
        name="Device",
        description="Where the worker computes",
        items=(
            ("AUTO", "Automatic", "The graphics card when the worker can use one, else the processor"),
            ("CPU", "CPU", "The processor: slow, works everywhere"),
            ("CUDA", "CUDA", "An NVIDIA graphics card; an error when there is none"),
        ),
        default="AUTO",
    )
    output_folder: StringProperty(
        name="Output",
        description="Job folder: rendered frames, passes and results of this shot. // means beside the .blend file",
        default="//stylised/",
        subtype="DIR_PATH",
    )
    reuse_capture: BoolProperty(
        name="Reuse Rendered Frames",
        description="Keep the frames rendered for the last run, only stylise again. Turn off after changing the scene",
        default=False,
    )


def to_settings(chosen: DiffsynthSettings) -> Settings:
    """The part of job.json that the artist chooses. Raises BadJobError when a choice is incomplete."""
    settings = incomplete_settings(chosen)
    check_look(settings, look_name(chosen))
    return settings


def look_name(chosen: DiffsynthSettings) -> str:
    """The look as scripts call it."""
    return chosen.look.lower()


def incomplete_settings(chosen: DiffsynthSettings) -> Settings:
    """As `to_settings`, where a command line may yet add what the look needs."""
    look = LOOKS[look_name(chosen)]
    wanted = Settings(
        prompt=chosen.prompt,
        negative_prompt=chosen.negative_prompt,
        model=_model(chosen),
        seed=chosen.seed,
        reference=to_reference(chosen.reference_image) if "reference" in look.needs else None,
        regions=look_choice.regions(chosen) if "regions" in look.needs else (),
        device=chosen.device.lower(),
    )
    wanted = apply_look(wanted, look.name)
    deflicker = wanted.deflicker or Deflicker()
    # Depth and normals have a value of their own in the panel; what else the look follows comes after them.
    others = tuple(control for control in wanted.controls if control.kind not in ("depth", "normal"))
    return replace(
        wanted,
        steps=chosen.steps,
        # Rounded because properties are 32-bit: 0.8 would be stored as 0.800000011920929 in job.json.
        strength=round(chosen.strength, 6),
        guidance_scale=round(chosen.guidance_scale, 6),
        controls=tuple(
            Control(kind=kind, scale=round(scale, 6))
            for kind, scale in (("depth", chosen.depth_scale), ("normal", chosen.normal_scale))
            if scale > 0
        )
        + others,
        deflicker=to_deflicker(chosen.window if chosen.use_deflicker else 0, deflicker),
    )


def to_deflicker(window: int, base: Deflicker | None) -> Deflicker | None:
    """Deflickering over so many neighbours on either side, else as `base`; none without neighbours."""
    return replace(base or Deflicker(), window=window) if window else None


def to_reference(path: str) -> Reference | None:
    """The reference picture at a path as Blender writes it; none without a path."""
    return Reference(str(Path(bpy.path.abspath(path)).resolve())) if path else None


def frame_range(scene: bpy.types.Scene) -> tuple[int, int, int]:
    """First frame, last frame and step that the artist chose."""
    chosen = scene.diffsynth
    if chosen.use_own_range:
        return chosen.frame_start, chosen.frame_end, chosen.frame_step
    return scene.frame_start, scene.frame_end, scene.frame_step


def job_folder(scene: bpy.types.Scene) -> Path:
    """Where the shot's job folder lies. Raises BadJobError when it depends on a file that was never saved."""
    chosen = scene.diffsynth.output_folder
    if not chosen:
        raise BadJobError("no output folder is chosen; set Output")
    if chosen.startswith("//") and not bpy.data.filepath:
        raise BadJobError(
            "the output folder lies beside the .blend file, which is not saved yet; save it, or choose another"
        )
    # One folder a scene, because several shots of a file share the default.
    return Path(bpy.path.abspath(chosen)) / bpy.path.clean_name(scene.name)


def _model(chosen: DiffsynthSettings) -> str:
    if chosen.model == "DEMO":
        return "demo"
    if not chosen.model_folder:
        raise BadJobError("no model folder is chosen; set Model Folder, or take the demo model")
    return str(Path(bpy.path.abspath(chosen.model_folder)).resolve())


CLASSES = (DiffsynthSettings,)


def register() -> None:
    """Attach the settings to every scene."""
    bpy.types.Scene.diffsynth = PointerProperty(type=DiffsynthSettings)


def unregister() -> None:
    """Detach them again; what files hold is kept by Blender as plain data."""
    del bpy.types.Scene.diffsynth
