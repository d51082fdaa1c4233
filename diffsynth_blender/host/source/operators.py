"""The buttons of the Source panel: passes turned on, the source looked at, the frame range fitted to it."""

import bpy

from ...protocol import BadJobError
from .. import compat
from ..button import Button
from ..capture.checks import CaptureError, check_scene
from ..result.strip_frames import find_strip, strip_frames
from ..shot import properties
from .enable import PASSES, layers_without, turn_on
from .sequence import find_sequence
from .source import PassesSource, Source, StripSource, chosen_source
from .work import check_source


class DIFFSYNTH_OT_enable_passes(Button, bpy.types.Operator):
    """Turn on what the artist's next render needs."""

    bl_idname = "diffsynth.enable_passes"
    bl_label = "Enable Passes"
    bl_description = (
        "Turn on the passes Z, Normal, Vector, Position and Cryptomatte Object in the view layers that are rendered, "
        "and write multilayer EXR files. What is rendered from now on can be stylised without another render"
    )
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        scene = context.scene
        if not any(layer.use for layer in scene.view_layers):
            return "No view layer of this scene is rendered; turn on Use for Rendering for one"
        if not layers_without(scene) and compat.writes_multilayer_exr(scene.render.image_settings):
            return "The passes are on, and multilayer EXR files are written"
        return ""

    def execute(self, context: bpy.types.Context) -> set[str]:
        scene = context.scene
        changed = layers_without(scene)
        for layer in changed:
            turn_on(layer)
        compat.use_multilayer_exr(scene.render.image_settings, codec="ZIP")
        names = ", ".join(repr(layer.name) for layer in changed) or "no view layer, all had them"
        self.report({"INFO"}, f"{', '.join(PASSES.values())} turned on in {names}; output is multilayer EXR, 32 bits")
        if scene.render.use_motion_blur:
            self.report(
                {"WARNING"},
                "Motion Blur is on: Blender then writes a Vector pass of zeros. Turn it off, or take Render as Source",
            )
        return {"FINISHED"}


class DIFFSYNTH_OT_check_source(bpy.types.Operator):
    """Look at the source without doing anything with it."""

    bl_idname = "diffsynth.check_source"
    bl_label = "Check Source"
    bl_description = "Look whether every frame, and every pass, of the source is there, and say what is missing"

    def execute(self, context: bpy.types.Context) -> set[str]:
        scene = context.scene
        try:
            frames = _frames(scene)
            source = chosen_source(scene)
            check_source(scene, source, frames)
        except (CaptureError, BadJobError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"{len(frames)} frames can be stylised")
        return {"FINISHED"}


class DIFFSYNTH_OT_fit_range(Button, bpy.types.Operator):
    """Make the frame range that of the source."""

    bl_idname = "diffsynth.fit_range"
    bl_label = "Fit Frame Range"
    bl_description = "Stylise the frames that the source has: those of the files, or those at which the strip is shown"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        is_rendered = context.scene.diffsynth.source.kind == "RENDER"
        return "A shot that is rendered has the frame range of the scene" if is_rendered else ""

    def execute(self, context: bpy.types.Context) -> set[str]:
        scene = context.scene
        try:
            frames = source_frames(scene, chosen_source(scene))
        except (CaptureError, BadJobError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        chosen = scene.diffsynth
        chosen.use_own_range = True
        chosen.frame_start, chosen.frame_end = frames[0], frames[-1]
        return {"FINISHED"}


def source_frames(scene: bpy.types.Scene, source: Source) -> range:
    """The frames that a source has; the scene's range for one that is rendered.

    Raises CaptureError or BadJobError where it has none.
    """
    if isinstance(source, PassesSource):
        numbers = list(find_sequence(source.file))
        return range(numbers[0], numbers[-1] + 1)
    if isinstance(source, StripSource):
        if scene.sequence_editor is None:
            raise CaptureError(f"Scene {scene.name!r} has no sequencer strips: add the footage in the Video Sequencer.")
        return strip_frames(find_strip(scene, source.strip))
    frames = range(scene.frame_start, scene.frame_end + 1)
    check_scene(scene, frames)
    return frames


def _frames(scene: bpy.types.Scene) -> range:
    start, end, step = properties.frame_range(scene)
    return range(start, end + 1, step)


CLASSES = (DIFFSYNTH_OT_enable_passes, DIFFSYNTH_OT_check_source, DIFFSYNTH_OT_fit_range)
