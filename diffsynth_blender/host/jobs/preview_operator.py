"""What the buttons Preview Frame and Preview Four do. The work itself is in preview.py."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty

from ...protocol import JobFailed
from . import pump
from .button import JobButton
from .choice import why_not_now
from .preview import Preview
from .worker_job import error_of


class DIFFSYNTH_OT_preview(JobButton, bpy.types.Operator):
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
    def why_not(cls, context: bpy.types.Context) -> str:
        """As for the shot."""
        return why_not_now(context.scene)

    def act(self, scene: bpy.types.Scene) -> None:
        preview = Preview(scene, 4 if self.frames == "FOUR" else 1)
        if not bpy.app.background:
            pump.start(preview)
            return
        preview.run_blocking()
        if preview.state != "done":
            raise error_of(JobFailed("", preview.kind, preview.message, preview.details))


CLASSES = (DIFFSYNTH_OT_preview,)
