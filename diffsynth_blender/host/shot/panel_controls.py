"""Drawing only: the sub-panel Controls with the list of ControlNets, and below it the reference picture."""

import bpy

from ...protocol import CONTROL_KINDS
from ..setup.models_panel import draw_ip_adapter
from ..source.work import EXACT_CONTROLS
from .panel_text import draw_text
from .shot_panel import ShotSubPanel, SwitchedPanel


class DIFFSYNTH_UL_controls(bpy.types.UIList):
    """A control: whether it counts, and how much."""

    def draw_item(self, context, layout, data, item, icon, active_data, active_property) -> None:
        control = getattr(active_data.controls, item.identifier.lower())
        layout.use_property_split = False
        row = layout.row(align=True)
        row.prop(control, "use", text="")
        row.label(text=item.name)
        row = layout.row()
        row.active = control.use
        row.prop(control, "scale", text="", emboss=False)


class DIFFSYNTH_PT_controls(ShotSubPanel, bpy.types.Panel):
    """What of the render the result follows."""

    bl_label = "Controls"
    bl_order = 3

    def draw_shot(self, layout, context, chosen) -> None:
        # Each kind is there once: a list of what there is, with a switch each, instead of one to add to.
        kinds = chosen.controls.bl_rna.properties["kinds"]
        layout.template_list("DIFFSYNTH_UL_controls", "", kinds, "enum_items", chosen, "active_control", rows=7)
        control = getattr(chosen.controls, CONTROL_KINDS[chosen.active_control])
        column = layout.column()
        column.active = control.use
        column.prop(control, "scale", slider=True)
        steps = column.column(align=True)
        steps.prop(control, "start")
        steps.prop(control, "end")
        if hasattr(control, "annotator"):
            column.prop(control, "annotator")
            if control.annotator not in {"EXACT", "LINEART_STANDARD"}:
                column.prop(chosen, "annotators")
        column.prop(control, "model")
        kind = CONTROL_KINDS[chosen.active_control]
        if chosen.source.kind == "STRIP" and kind in EXACT_CONTROLS and control.use and control.annotator == "EXACT":
            draw_text(layout, context, "A strip has no passes: read this from an estimate, or turn it off", "INFO")


class DIFFSYNTH_PT_reference(SwitchedPanel, bpy.types.Panel):
    """A picture whose look is taken over."""

    bl_label = "Reference Picture"
    bl_parent_id = "DIFFSYNTH_PT_controls"
    switch = "use_reference"

    def draw_shot(self, layout, context, chosen) -> None:
        layout.prop(chosen, "reference_image")
        layout.prop(chosen, "reference_attention")
        layout.prop(chosen, "ip_adapter")
        row = layout.row()
        row.active = bool(chosen.ip_adapter)
        row.prop(chosen, "ip_adapter_scale", slider=True)
        draw_ip_adapter(layout, context, chosen)


CLASSES = (DIFFSYNTH_UL_controls, DIFFSYNTH_PT_controls, DIFFSYNTH_PT_reference)
