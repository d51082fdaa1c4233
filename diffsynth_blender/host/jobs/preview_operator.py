"""What the buttons Preview Frame and Preview Four do. The work itself is in preview.py."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty

from ...protocol import DiffSynthError
from ..capture.checks import CaptureError
from . import failure as job_failure
from . import pump
from .choice import why_not_now
from .preview import Preview


class DIFFSYNTH_OT_preview(bpy.types.Operator):
    """Stylise one frame or four, and show them with what the model sees."""

    bl_idname = "diffsynth.preview"
    bl_label = "Preview"
    bl_description = (
        "Stylise a few frames from the current one on, in a folder of their own, and show result, controls and motion "
        "as pictures in an image editor"
    )
    bl_options = {"REGISTER"}

    frames: EnumProperty(
        name="Frames",
        description="How many frames the preview stylises",
        items=(
            ("ONE", "One Frame", "The current frame: how the look comes out"),
            ("FOUR", "Four Frames", "Four frames from the current one on: how steady they are, and how things move"),
        ),
        default="ONE",
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """As for the shot."""
        reason = why_not_now(context.scene)
        if reason:
            cls.poll_message_set(reason)
        return not reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        scene = context.scene
        try:
            preview = Preview(scene, 4 if self.frames == "FOUR" else 1)
        except (CaptureError, DiffSynthError) as error:
            job_failure.tell(self, scene, error)
            return {"CANCELLED"}
        if not bpy.app.background:
            pump.start(preview)
            return {"FINISHED"}
        preview.run_blocking()
        if preview.state != "done":
            self.report({"ERROR"}, preview.message)
            return {"CANCELLED"}
        return {"FINISHED"}


CLASSES = (DIFFSYNTH_OT_preview,)
