"""What the buttons below an error do."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty

from ..button import Button
from ..preferences import ADDON_ID
from . import failure as job_failure
from .mend import MENDINGS

REPORT = "DiffSynth Report"
"""Name of the text that holds the report."""


class DIFFSYNTH_OT_mend(bpy.types.Operator):
    """Change what an error complains of."""

    bl_idname = "diffsynth.mend"
    bl_label = "Mend"
    bl_description = "Change the setting that the error complains of"
    bl_options = {"REGISTER", "UNDO"}

    what: EnumProperty(
        name="Change",
        description="What is changed",
        items=[(key, mending.name, mending.description) for key, mending in MENDINGS.items()],
    )

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        """What this very button changes."""
        return MENDINGS[properties.what].description

    def execute(self, context: bpy.types.Context) -> set[str]:
        done = MENDINGS[self.what].apply(context.scene)
        if not done:
            self.report({"WARNING"}, "There is nothing that this could change")
            return {"CANCELLED"}
        job_failure.clear()
        self.report({"INFO"}, done)
        return {"FINISHED"}


class _OfFailure(Button):
    """A mix-in: a button below an error."""

    bl_options = {"REGISTER"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        return "Nothing has failed in this scene" if job_failure.last(context.scene) is None else ""


class DIFFSYNTH_OT_open_log(_OfFailure, bpy.types.Operator):
    """Read the whole of an error."""

    bl_idname = "diffsynth.open_log"
    bl_label = "Open Log"
    bl_description = "Show all that is known of the error in a text editor"

    def execute(self, context: bpy.types.Context) -> set[str]:
        text = bpy.data.texts.get(REPORT) or bpy.data.texts.new(REPORT)
        text.from_string(job_failure.report(job_failure.last(context.scene)))
        if not bpy.app.background:
            _text_editor(context).spaces.active.text = text
        return {"FINISHED"}


class DIFFSYNTH_OT_copy_report(_OfFailure, bpy.types.Operator):
    """Pass an error on."""

    bl_idname = "diffsynth.copy_report"
    bl_label = "Copy Report"
    bl_description = "Copy all that is known of the error to the clipboard, for a bug report"

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.window_manager.clipboard = job_failure.report(job_failure.last(context.scene))
        self.report({"INFO"}, "The report is in the clipboard")
        return {"FINISHED"}


class DIFFSYNTH_OT_open_preferences(bpy.types.Operator):
    """Go to where the worker is set up."""

    bl_idname = "diffsynth.open_preferences"
    bl_label = "Open Preferences"
    bl_description = "Show the preferences of this extension, where the worker's Python is chosen"
    bl_options = {"REGISTER"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        bpy.ops.preferences.addon_show(module=ADDON_ID)
        return {"FINISHED"}


def _text_editor(context: bpy.types.Context) -> bpy.types.Area:
    """A text editor: one that is there, else in a window of its own."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "TEXT_EDITOR":
                return area
    before = set(context.window_manager.windows)
    bpy.ops.wm.window_new()
    window = next(window for window in context.window_manager.windows if window not in before)
    window.screen.areas[0].type = "TEXT_EDITOR"
    return window.screen.areas[0]


CLASSES = (
    DIFFSYNTH_OT_mend,
    DIFFSYNTH_OT_open_log,
    DIFFSYNTH_OT_copy_report,
    DIFFSYNTH_OT_open_preferences,
)
