"""Drawing only: the sub-panel Advanced: how the model is sampled, and below it where and how it computes."""

import bpy

from .shot_panel import ShotSubPanel


class DIFFSYNTH_PT_advanced(ShotSubPanel, bpy.types.Panel):
    """How the model is sampled."""

    bl_label = "Advanced"
    bl_order = 6

    def draw_shot(self, layout, context, chosen) -> None:
        column = layout.column(align=True)
        column.prop(chosen, "sampler")
        column.prop(chosen, "steps")
        layout.prop(chosen, "clip_skip")
        layout.prop(chosen, "baseline")


class DIFFSYNTH_PT_computing(ShotSubPanel, bpy.types.Panel):
    """Where and how the model computes."""

    bl_label = "Computing"
    bl_parent_id = "DIFFSYNTH_PT_advanced"

    def draw_shot(self, layout, context, chosen) -> None:
        layout.prop(chosen, "device")
        layout.prop(chosen, "precision")
        layout.prop(chosen, "batch")
        layout.prop(chosen, "tiny_vae")


CLASSES = (DIFFSYNTH_PT_advanced, DIFFSYNTH_PT_computing)
