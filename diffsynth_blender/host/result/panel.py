"""Drawing only: what becomes of the finished frames, and what can be done with them."""

from __future__ import annotations

import bpy

from ..shot.panel_text import draw_text
from ..shot.shot_panel import ShotSubPanel
from .colours import colour_warning
from .compositor_links import pairs_of
from .compositor_operators import DIFFSYNTH_OT_replace_compositor, DIFFSYNTH_OT_restore_compositor
from .operators import (
    DIFFSYNTH_OT_replace_strip,
    DIFFSYNTH_OT_restore_strip,
    DIFFSYNTH_OT_show_exactly,
    DIFFSYNTH_OT_wipe,
)
from .strip_replace import REPLACED_KEY, REPLACES_KEY
from .wipe import find_wipe


class DIFFSYNTH_PT_result(ShotSubPanel, bpy.types.Panel):
    """Where the frames go, and the compositor."""

    bl_label = "Result"
    bl_order = 7

    def draw_shot(
        self, layout: bpy.types.UILayout, context: bpy.types.Context, chosen: bpy.types.PropertyGroup
    ) -> None:
        layout.use_property_decorate = False
        column = layout.column()
        column.prop(chosen.result, "placement")
        column.prop(chosen.result, "use_compositor")
        column.prop(chosen.result, "stylise_after_render")
        column = layout.column(align=True)
        column.operator(DIFFSYNTH_OT_replace_compositor.bl_idname, icon="NODE_COMPOSITING")
        column.operator(DIFFSYNTH_OT_restore_compositor.bl_idname, icon="LOOP_BACK")
        if pairs_of(context.scene):
            draw_colour_warning(layout, context, context.scene, sequencer=False)


def draw_result_buttons(layout: bpy.types.UILayout, context: bpy.types.Context, strip: bpy.types.Strip) -> None:
    """Replace, restore and compare the active strip, with what its frames were made with."""
    column = layout.column(align=True)
    if strip.get(REPLACES_KEY) or strip.get(REPLACED_KEY):
        column.operator(DIFFSYNTH_OT_restore_strip.bl_idname, icon="LOOP_BACK")
    else:
        column.operator(DIFFSYNTH_OT_replace_strip.bl_idname, icon="FILE_REFRESH")
    wipe = find_wipe(strip)
    column.operator(DIFFSYNTH_OT_wipe.bl_idname, icon="X" if wipe else "MOD_MIRROR")
    if wipe:
        layout.prop(wipe, "effect_fader", text="Source", slider=True)
    draw_colour_warning(layout, context, strip.id_data, sequencer=True)
    draw_metadata(layout, context, strip)


def draw_colour_warning(
    layout: bpy.types.UILayout, context: bpy.types.Context, scene: bpy.types.Scene, *, sequencer: bool
) -> None:
    """What changes the colours of finished frames, with a button that sets it."""
    warning = colour_warning(scene, sequencer=sequencer)
    if warning:
        draw_text(layout, context, warning, "ERROR")
        layout.operator(DIFFSYNTH_OT_show_exactly.bl_idname, icon="COLOR")


def draw_metadata(layout: bpy.types.UILayout, context: bpy.types.Context, strip: bpy.types.Strip) -> None:
    """What the frames were made with, where the strip is a result."""
    column = layout.column(align=True)
    for key, label in (("model", "Model"), ("seed", "Seed"), ("settings_hash", "Settings"), ("versions", "Versions")):
        value = strip.get(f"diffsynth_{key}")
        if value is not None:
            text = str(value)[:12] if key == "settings_hash" else str(value)
            draw_text(column, context, f"{label}: {text}")


CLASSES = (DIFFSYNTH_PT_result,)
