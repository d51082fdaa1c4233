"""What all buttons around results have in common: they say why they wait, undo in one step, and fail in a sentence."""

from __future__ import annotations

import bpy
from bpy.props import StringProperty

from ...protocol import BadJobError
from ..button import Button


class ResultOperator(Button):
    """One undo step; an error is told in a sentence, and nothing has happened then."""

    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            told = self.act(context)
        except BadJobError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if told:
            self.report({"WARNING"}, told)
        return {"FINISHED"}


class JobChoice:
    """A job folder that may be named."""

    job_folder: StringProperty(
        name="Job Folder",
        description="Folder of the job whose frames are used; empty: the newest finished one",
        default="",
        subtype="DIR_PATH",
        options={"SKIP_SAVE"},
    )
