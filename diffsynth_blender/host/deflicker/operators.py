"""What the button Deflicker does: check, start, tell. The work itself is in deflickering.py."""

from __future__ import annotations

import bpy

from ...protocol import DiffSynthError
from .. import preferences
from ..button import Button
from ..capture.checks import CaptureError
from ..compat import sequencer_scene
from ..jobs import pump
from ..jobs.choice import sentence
from ..result.sequencer import active_strip
from ..result.strip_frames import find_strip
from .deflickering import Deflickering
from .properties import deflicker_folder


class DIFFSYNTH_OT_deflicker(Button, bpy.types.Operator):
    """Make the active strip steady in the worker and show the result as a strip above it."""

    bl_idname = "diffsynth.deflicker"
    bl_label = "Deflicker"
    bl_description = (
        "Make the frames of the active strip steady, and show them as a strip above it. No model is needed, and "
        "Blender stays usable meanwhile"
    )

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        if pump.is_running():
            return pump.current().title
        scene = sequencer_scene(context)
        strip = active_strip(scene)
        if strip is None:
            return "No strip is active; select one in the sequencer"
        try:
            find_strip(scene, strip.name)
            deflicker_folder(scene, strip.name)
            preferences.worker_python()
        except DiffSynthError as error:
            return sentence(error)
        chosen = scene.diffsynth_deflicker
        if chosen.mode == "KEYFRAMES" and chosen.guide == "STRIP":
            return (
                "Key frames need to know what they were painted over: set Guide to another strip or the captured shot"
            )
        return "No guide strip is chosen; set Guide Strip" if chosen.guide == "OTHER" and not chosen.guide_strip else ""

    def execute(self, context: bpy.types.Context) -> set[str]:
        scene = sequencer_scene(context)
        try:
            work = Deflickering(scene, active_strip(scene))
        except (CaptureError, DiffSynthError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if not bpy.app.background:
            pump.start(work)
            return {"FINISHED"}
        work.run_blocking()  # timers never fire there
        if work.state != "done":
            self.report({"ERROR"}, work.message)
            return {"CANCELLED"}
        return {"FINISHED"}


CLASSES = (DIFFSYNTH_OT_deflicker,)
