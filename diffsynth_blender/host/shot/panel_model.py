"""Drawing only: the sub-panel Model, and below it the list of LoRAs."""

import bpy

from ...protocol.looks import LOOKS
from ..setup.models_panel import draw_few_steps, draw_offer
from .list_operators import DIFFSYNTH_OT_lora_add, DIFFSYNTH_OT_lora_remove
from .panel_text import draw_text
from .shot_panel import ShotSubPanel


class DIFFSYNTH_PT_model(ShotSubPanel, bpy.types.Panel):
    """Which model makes the pictures."""

    bl_label = "Model"
    bl_order = 2

    def draw_shot(self, layout, context, chosen) -> None:
        layout.prop(chosen, "model")
        if chosen.model == "FOLDER":
            layout.prop(chosen, "model_folder")
        elif chosen.model == "FILE":
            layout.prop(chosen, "model_file")
        elif lacks := LOOKS[chosen.look.lower()].demo_lacks:
            draw_text(layout, context, f"With this look: {lacks}", "INFO")
            draw_offer(layout, context)
        if chosen.model != "DEMO":
            layout.prop(chosen, "vae")


class DIFFSYNTH_UL_loras(bpy.types.UIList):
    """A LoRA and its weight in a row."""

    def draw_item(self, context, layout, data, item, icon, active_data, active_property) -> None:
        layout.use_property_split = False
        name = bpy.path.display_name_from_filepath(item.path) if item.path else "No file yet"
        layout.label(text=name, icon="FILE" if item.path else "ERROR")
        layout.prop(item, "weight", text="", emboss=False)


class DIFFSYNTH_PT_loras(ShotSubPanel, bpy.types.Panel):
    """Adapters of the model."""

    bl_label = "LoRAs"
    bl_parent_id = "DIFFSYNTH_PT_model"

    def draw_shot(self, layout, context, chosen) -> None:
        row = layout.row()
        row.template_list("DIFFSYNTH_UL_loras", "", chosen, "loras", chosen, "active_lora", rows=3)
        buttons = row.column(align=True)
        buttons.operator(DIFFSYNTH_OT_lora_add.bl_idname, text="", icon="ADD")
        buttons.operator(DIFFSYNTH_OT_lora_remove.bl_idname, text="", icon="REMOVE")
        if 0 <= chosen.active_lora < len(chosen.loras):
            lora = chosen.loras[chosen.active_lora]
            layout.prop(lora, "path")
            layout.prop(lora, "weight", slider=True)
        if chosen.model != "DEMO":
            draw_few_steps(layout, context, chosen)


CLASSES = (DIFFSYNTH_UL_loras, DIFFSYNTH_PT_model, DIFFSYNTH_PT_loras)
