"""Drawing only: the sub-panel Deflickering, and below it what changes over the denoising steps."""

import bpy

from .shot_panel import ShotSubPanel, SwitchedPanel


class DIFFSYNTH_PT_steady(SwitchedPanel, bpy.types.Panel):
    """How frames are held steady."""

    bl_label = "Deflickering"
    bl_order = 4
    switch = "use_deflicker"

    def draw_shot(self, layout, context, chosen) -> None:
        steady = chosen.deflicker
        layout.prop(steady, "along")
        layout.prop(steady, "window")
        layout.prop(steady, "strength")
        column = layout.column(align=True)
        column.active = not (steady.use_schedule and steady.steps)
        column.prop(steady, "interval")
        column.prop(steady, "skip_last")
        layout.prop(steady, "final")
        layout.prop(chosen, "hold_colours")


class DIFFSYNTH_PT_schedule(ShotSubPanel, bpy.types.Panel):
    """Other values early than late in the denoising."""

    bl_label = "Schedule"
    bl_parent_id = "DIFFSYNTH_PT_steady"

    def draw_header(self, context: bpy.types.Context) -> None:
        self.layout.prop(context.scene.diffsynth.deflicker, "use_schedule", text="")

    def draw_shot(self, layout, context, chosen) -> None:
        steady = chosen.deflicker
        layout.active = chosen.use_deflicker and steady.use_schedule
        layout.prop(steady, "window_schedule")
        layout.prop(steady, "strength_schedule")
        layout.prop(steady, "steps")


CLASSES = (DIFFSYNTH_PT_steady, DIFFSYNTH_PT_schedule)
