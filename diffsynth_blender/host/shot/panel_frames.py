"""Drawing only: the sub-panel Frames: noise and size, and below it attention, key frames and regions."""

import bpy

from .list_operators import DIFFSYNTH_OT_region_add, DIFFSYNTH_OT_region_remove
from .panel_text import draw_sentence
from .shot_panel import ShotSubPanel, SwitchedPanel


class DIFFSYNTH_PT_frames(ShotSubPanel, bpy.types.Panel):
    """What frames start from, and their size."""

    bl_label = "Frames"
    bl_order = 5

    def draw_shot(self, layout, context, chosen) -> None:
        layout.prop(chosen, "upscale")
        column = layout.column(align=True)
        column.prop(chosen.noise, "kind")
        column.prop(chosen.noise, "fresh")


class DIFFSYNTH_PT_attention(SwitchedPanel, bpy.types.Panel):
    """Which frames each frame looks at."""

    bl_label = "Look at Other Frames"
    bl_parent_id = "DIFFSYNTH_PT_frames"
    switch = "use_attention"

    def draw_shot(self, layout, context, chosen) -> None:
        attention = chosen.attention
        layout.row().prop(attention, "frames", expand=True)
        column = layout.column(align=True)
        column.prop(attention, "window")
        column.prop(attention, "stride")
        layout.prop(attention, "motion")


class DIFFSYNTH_PT_key_frames(SwitchedPanel, bpy.types.Panel):
    """Restyling some frames only."""

    bl_label = "Key Frames"
    bl_parent_id = "DIFFSYNTH_PT_frames"
    switch = "use_key_frames"

    def draw_shot(self, layout, context, chosen) -> None:
        layout.prop(chosen.key_frames, "every")
        layout.prop(chosen.key_frames, "repair")


class DIFFSYNTH_UL_regions(bpy.types.UIList):
    """What a region restyles, and how."""

    def draw_item(self, context, layout, data, item, icon, active_data, active_property) -> None:
        layout.use_property_split = False
        chosen = item.collection is not None
        layout.label(
            text=item.collection.name if chosen else "No objects yet", icon="OUTLINER_COLLECTION" if chosen else "ERROR"
        )
        layout.prop(item, "prompt", text="", emboss=False)


class DIFFSYNTH_PT_regions(SwitchedPanel, bpy.types.Panel):
    """Objects with prompts of their own."""

    bl_label = "Regions"
    bl_parent_id = "DIFFSYNTH_PT_frames"
    switch = "use_regions"

    def draw_shot(self, layout, context, chosen) -> None:
        draw_regions(layout, chosen)
        layout.prop(chosen, "keep_rest")


def draw_regions(layout: bpy.types.UILayout, chosen: bpy.types.PropertyGroup) -> None:
    """The list of regions, and the active one's values."""
    row = layout.row()
    row.template_list("DIFFSYNTH_UL_regions", "", chosen, "regions", chosen, "active_region", rows=2)
    buttons = row.column(align=True)
    buttons.operator(DIFFSYNTH_OT_region_add.bl_idname, text="", icon="ADD")
    buttons.operator(DIFFSYNTH_OT_region_remove.bl_idname, text="", icon="REMOVE")
    if 0 <= chosen.active_region < len(chosen.regions):
        region = chosen.regions[chosen.active_region]
        layout.prop(region, "collection")
        draw_sentence(layout, region, "prompt")


CLASSES = (
    DIFFSYNTH_UL_regions,
    DIFFSYNTH_PT_frames,
    DIFFSYNTH_PT_attention,
    DIFFSYNTH_PT_key_frames,
    DIFFSYNTH_PT_regions,
)
