"""Changes to a scene that take away what an error complains of; each is one undo step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import bpy

from .. import compat

SMALLER = 0.75
"""Of a frame's size: with it, memory falls to little more than a half."""


@dataclass(frozen=True)
class Mending:
    """What a button changes."""

    name: str
    description: str
    apply: Callable[[bpy.types.Scene], str]
    """Changes the scene and returns what it did, or "" where there was nothing to do."""


def _region(scene: bpy.types.Scene) -> str:
    scene.render.use_border = False
    return "Render Region is off"


def _stereo(scene: bpy.types.Scene) -> str:
    scene.render.use_multiview = False
    return "Stereoscopy is off"


def _aspect(scene: bpy.types.Scene) -> str:
    scene.render.pixel_aspect_x = scene.render.pixel_aspect_y = 1.0
    return "Pixels are square"


def _display(scene: bpy.types.Scene) -> str:
    scene.display_settings.display_device = "sRGB"
    return "Display Device is sRGB"


def _cycles(scene: bpy.types.Scene) -> str:
    scene.render.engine = compat.CYCLES
    return "Render Engine is Cycles"


def _eevee(scene: bpy.types.Scene) -> str:
    engines = {item.identifier for item in scene.render.bl_rna.properties["engine"].enum_items}
    for engine in compat.EEVEE_ENGINES:
        try:
            scene.render.engine = engine
        except TypeError:  # the name it has in another version
            continue
        return "Render Engine is EEVEE"
    return f"EEVEE is not among {', '.join(sorted(engines))}"


def _layer(scene: bpy.types.Scene) -> str:
    scene.view_layers[0].use = True
    return f"View layer {scene.view_layers[0].name!r} is rendered"


def _camera(scene: bpy.types.Scene) -> str:
    camera = next((thing for thing in scene.objects if thing.type == "CAMERA"), None)
    if camera is None:
        return ""
    scene.camera = camera
    return f"{camera.name!r} is the active camera"


def _larger(scene: bpy.types.Scene) -> str:
    scene.render.resolution_percentage = 100
    return "Frames are rendered at full size"


def _smaller(scene: bpy.types.Scene) -> str:
    render = scene.render
    render.resolution_percentage = max(1, round(render.resolution_percentage * SMALLER))
    return f"Frames are rendered at {render.resolution_percentage} %"


def _window(scene: bpy.types.Scene) -> str:
    steady = scene.diffsynth.deflicker
    if steady.window < 2:
        return ""
    steady.window //= 2
    return f"Frames are steadied over {steady.window} neighbours on either side"


def _cpu(scene: bpy.types.Scene) -> str:
    scene.diffsynth.device = "CPU"
    return "The processor computes"


def _auto(scene: bpy.types.Scene) -> str:
    scene.diffsynth.device = "AUTO"
    return "The graphics card computes where the worker can use one, else the processor"


def _demo_model(scene: bpy.types.Scene) -> str:
    scene.diffsynth.model = "DEMO"
    return "The model is the demo model"


def _noise(scene: bpy.types.Scene) -> str:
    scene.diffsynth.noise.kind = "FIXED"
    return "Noise is fixed"


def _motion(scene: bpy.types.Scene) -> str:
    scene.diffsynth.attention.motion = "OFF"
    return "Frames look at each other without motion"


def _controls(scene: bpy.types.Scene) -> str:
    controls = scene.diffsynth.controls
    for control in (controls.depth, controls.normal, controls.softedge):
        if control.annotator == "EXACT":
            control.use = False
    return "Controls that are read from passes are off"


def _regions(scene: bpy.types.Scene) -> str:
    scene.diffsynth.use_regions = False
    return "No objects have prompts of their own"


MENDINGS = {
    "REGION": Mending("Render Region", "Render the whole picture", _region),
    "STEREO": Mending("Stereoscopy", "Render one view", _stereo),
    "ASPECT": Mending("Pixel Aspect", "Make pixels square", _aspect),
    "DISPLAY": Mending("Display Device", "Show the scene on an sRGB display", _display),
    "CYCLES": Mending("Cycles", "Render with Cycles", _cycles),
    "EEVEE": Mending("EEVEE", "Render with EEVEE", _eevee),
    "LAYER": Mending("View Layer", "Render the first view layer", _layer),
    "CAMERA": Mending("Camera", "Look through the first camera of the scene", _camera),
    "LARGER": Mending("Full Size", "Render at the whole resolution", _larger),
    "SMALLER": Mending("Smaller", "Render at three quarters of the size, which takes half the memory", _smaller),
    "WINDOW": Mending("Window", "Steady frames over half as many neighbours, which takes less memory", _window),
    "CPU": Mending("Processor", "Compute on the processor: slow, but it has more memory", _cpu),
    "AUTO": Mending("Device", "Let the worker choose the device", _auto),
    "DEMO_MODEL": Mending("Demo Model", "Take the demo model, which is always there", _demo_model),
    "CONTROLS": Mending("Controls", "Do not follow what only passes can tell", _controls),
    "NOISE": Mending("Noise", "Take noise that needs no passes", _noise),
    "REGIONS": Mending("Regions", "Restyle everything by one prompt, which needs no passes", _regions),
    "MOTION": Mending("Attention", "Let frames look at each other without motion, which needs no passes", _motion),
}
