"""What all buttons around jobs have in common: what is refused is told, and kept with its remedies for the panel."""

from __future__ import annotations

import bpy

from ...protocol import DiffSynthError
from ..button import Button
from ..capture.checks import CaptureError
from . import failure as job_failure


class JobButton(Button):
    """A mix-in of operators on the jobs of the scene that is shown."""

    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        scene = context.scene
        try:
            self.act(scene)
        except (CaptureError, DiffSynthError) as error:
            job_failure.tell(self, scene, error)
            return {"CANCELLED"}
        return {"FINISHED"}

    def act(self, scene: bpy.types.Scene) -> None:
        """Do what the button is for. Raises CaptureError or DiffSynthError, in a sentence, where that is refused."""
        raise NotImplementedError
