"""The set-up in the preferences: how the environment is, one button for what it needs, choices folded below."""

from __future__ import annotations

import bpy

from ...environment.errors import SetupError
from ...environment.layout import Layout
from ..shot.panel_text import draw_text
from . import report as setup_report
from . import run as setup_run
from .operators import (
    DIFFSYNTH_OT_setup,
    DIFFSYNTH_OT_setup_cancel,
    DIFFSYNTH_OT_setup_remove,
    DIFFSYNTH_OT_setup_repair,
)
from .properties import DiffsynthSetup, folder_of, plan_of

STATES = {
    "absent": ("The worker's environment is not set up", "INFO", "Set Up"),
    "unfinished": ("The set-up was not finished", "ERROR", "Go On"),
    "outdated": ("The environment is of another version", "ERROR", "Upgrade"),
    "ready": ("The environment is ready", "CHECKMARK", ""),
}
"""By `layout.State`: what is said, its icon, and what the button is called; "" for no button."""


def draw_setup(layout: bpy.types.UILayout, chosen: DiffsynthSetup) -> None:
    """State of the environment, what it needs, choices."""
    text, icon, button = STATES[_state(chosen)]
    layout.label(text=text, icon=icon)
    row = layout.row()
    if button:
        row.operator(DIFFSYNTH_OT_setup.bl_idname, text=button, icon="IMPORT")
    if icon != "INFO":
        row.operator(DIFFSYNTH_OT_setup_repair.bl_idname, icon="TOOL_SETTINGS")
        row.operator(DIFFSYNTH_OT_setup_remove.bl_idname, icon="TRASH")
    column = layout.column()
    column.use_property_split = True
    for name in ("folder", "backend", "base_python", "wheelhouse", "index_url", "proxy"):
        column.prop(chosen, name)


def draw_run(layout: bpy.types.UILayout, context: bpy.types.Context) -> bool:
    """What is under way, with a button to stop it, or how the last ended; returns whether something is under way."""
    run = setup_run.current()
    if run is not None and run.is_running:
        layout.progress(factor=run.step.factor, text=run.step.text)
        layout.operator(DIFFSYNTH_OT_setup_cancel.bl_idname, icon="CANCEL")
        return True
    if run is not None and run.message:
        draw_text(layout, context, run.message, "ERROR" if run.is_error else "CHECKMARK")
    return False


def draw_check(layout: bpy.types.UILayout) -> None:
    """The worker's test, and its report line by line."""
    row = layout.row()
    row.operator("diffsynth.check", icon="PLAY")
    row.operator("diffsynth.check_copy", icon="COPYDOWN")
    column = layout.column(align=True)
    for line in setup_report.text().splitlines():
        state = line.split()[0] if line.startswith("  ") else ""
        column.label(text=line.strip(), icon={"ok": "CHECKMARK", "BROKEN": "ERROR"}.get(state, "BLANK1"))


def _state(chosen: DiffsynthSetup) -> str:
    try:
        plan = plan_of(chosen)
    except SetupError:
        return Layout(folder_of(chosen)).state()
    return plan.layout.state(plan.lock)
