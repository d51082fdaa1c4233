"""The buttons of the set-up: plan and consent, repair, remove, cancel. They return at once; `run.py` goes on."""

from __future__ import annotations

import bpy

from ...environment.errors import SetupError
from ...environment.install import Step, install, repair
from ...environment.layout import Layout
from ..addon_id import ADDON_ID
from . import run as setup_run
from .properties import DiffsynthSetup, folder_of, plan_of


def chosen_setup() -> DiffsynthSetup | None:
    """The choices in the preferences; None where the package was imported plainly."""
    addon = bpy.context.preferences.addons.get(ADDON_ID)
    return addon.preferences.setup if addon and addon.preferences else None


class SetupOperator:
    """What starts something is refused while something runs."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        run = setup_run.current()
        if run is not None and run.is_running:
            cls.poll_message_set("A set-up is under way; wait for it, or cancel it")
            return False
        return True


class DIFFSYNTH_OT_setup(SetupOperator, bpy.types.Operator):
    """Plan and consent, then the installation."""

    bl_idname = "diffsynth.setup"
    bl_label = "Set Up"
    bl_description = (
        "Make the worker's private Python environment, or bring it up to date. Says first what, where and how much"
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        try:
            plan = plan_of(chosen_setup())
            plan.check()
        except SetupError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self._lines = plan.lines()
        return context.window_manager.invoke_props_dialog(self, width=520)

    def draw(self, context: bpy.types.Context) -> None:
        column = self.layout.column(align=True)
        for line in self._lines:
            column.label(text=line)
        column.label(text="Blender's own Python is not touched. Press OK to start.", icon="INFO")

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            plan = plan_of(chosen_setup())
        except SetupError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}

        def task(report, is_cancelled):
            install(plan, report=report, is_cancelled=is_cancelled)
            return f"Ready in {plan.layout.folder}"

        setup_run.start(task)
        return {"FINISHED"}


class DIFFSYNTH_OT_setup_repair(SetupOperator, bpy.types.Operator):
    """Verify and mend."""

    bl_idname = "diffsynth.setup_repair"
    bl_label = "Repair"
    bl_description = (
        "Compare every file of the environment with what was installed, and install anew what is missing or changed"
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            plan = plan_of(chosen_setup())
        except SetupError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}

        def task(report, is_cancelled):
            problems = repair(plan, report=report, is_cancelled=is_cancelled)
            names = ", ".join(problem.package for problem in problems)
            return f"Repaired {names}" if names else "Nothing was broken"

        setup_run.start(task)
        return {"FINISHED"}


class DIFFSYNTH_OT_setup_remove(SetupOperator, bpy.types.Operator):
    """Take everything away."""

    bl_idname = "diffsynth.setup_remove"
    bl_label = "Remove"
    bl_description = "Remove the worker's environment with everything that was downloaded for it"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        layout = Layout(folder_of(chosen_setup()))

        def task(report, is_cancelled):
            report(Step("Removing", 0.5))
            layout.remove()
            return f"Removed {layout.folder}"

        setup_run.start(task)
        return {"FINISHED"}


class DIFFSYNTH_OT_setup_cancel(bpy.types.Operator):
    """Stop the thread."""

    bl_idname = "diffsynth.setup_cancel"
    bl_label = "Cancel"
    bl_description = "Stop the set-up. What was downloaded is kept, and setting up again goes on from there"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        run = setup_run.current()
        if run is None or not run.is_running:
            cls.poll_message_set("Nothing is being set up")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        setup_run.current().cancel()
        return {"FINISHED"}


CLASSES = (DIFFSYNTH_OT_setup, DIFFSYNTH_OT_setup_repair, DIFFSYNTH_OT_setup_remove, DIFFSYNTH_OT_setup_cancel)
