"""Models in the folders of other programs: looked for by the worker, and used where they lie."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import BoolProperty, StringProperty

from ...protocol import DiffSynthError
from ..button import Button
from .models_extras import few_steps
from .models_found import SCAN, USABLE, USE, found
from .models_panel import FEW_STEPS
from .models_run import model_worker, start
from .models_use import use_found
from .operators import SetupOperator


class DIFFSYNTH_OT_model_scan(SetupOperator, bpy.types.Operator):
    """Look through a folder."""

    bl_idname = SCAN
    bl_label = "Look for Models"
    bl_description = (
        "Look through a folder, such as ComfyUI's or A1111's models or the hub's cache, for models that can be used "
        "where they lie"
    )

    directory: StringProperty(
        name="Folder", description="The folder with models", subtype="DIR_PATH", options={"SKIP_SAVE"}
    )
    filter_folder: BoolProperty(name="Folders", description="Show folders", default=True, options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            worker = model_worker()
        except DiffSynthError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        folder = Path(bpy.path.abspath(self.directory))

        def task(report, is_cancelled):
            found[:] = worker.scan(folder, is_cancelled)
            usable = sum(bool(one["kind"]) for one in found)
            return f"{folder}: {usable} can be used, {len(found) - usable} cannot"

        start(task, lambda: "")
        return {"FINISHED"}


class DIFFSYNTH_OT_model_use(bpy.types.Operator):
    """One of those found."""

    bl_idname = USE
    bl_label = "Use"
    bl_description = (
        "Use this file in the shot, where it lies: as its model or VAE, as a control's ControlNet, as a LoRA or as an "
        "IP-Adapter"
    )
    bl_options = {"REGISTER", "UNDO"}

    path: StringProperty(name="Path", description="One of the files that were found", options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        one = next((one for one in found if one["path"] == self.path), None)
        done = use_found(context.scene, one) if one is not None and one["kind"] in USABLE else ""
        if not done:
            self.report({"WARNING"}, "Nothing was changed; a ControlNet whose name tells no kind is set by hand")
            return {"CANCELLED"}
        self.report({"INFO"}, done)
        return {"FINISHED"}


class DIFFSYNTH_OT_lora_few_steps(Button, bpy.types.Operator):
    """What a few-step LoRA wants."""

    bl_idname = FEW_STEPS
    bl_label = "Set Sampler and Steps"
    bl_description = "Set Sampler and Steps to what the few-step LoRA in the list is made for"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Why there is nothing to set."""
        return "" if any(map(few_steps, context.scene.diffsynth.loras)) else "No LoRA of the list is a few-step one"

    def execute(self, context: bpy.types.Context) -> set[str]:
        chosen = context.scene.diffsynth
        found = next(filter(None, map(few_steps, chosen.loras)))
        chosen.sampler, chosen.steps = found.sampler.upper(), found.steps
        return {"FINISHED"}


CLASSES = (DIFFSYNTH_OT_model_scan, DIFFSYNTH_OT_model_use, DIFFSYNTH_OT_lora_few_steps)
