"""Drawing only: where the frames of a shot come from."""

import bpy

from ..jobs import pump
from .operators import DIFFSYNTH_OT_check_source, DIFFSYNTH_OT_enable_passes, DIFFSYNTH_OT_fit_range


class DIFFSYNTH_PT_source(bpy.types.Panel):
    """Rendered now, passes on disk, or a strip."""

    bl_label = "Source"
    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "render"
    bl_parent_id = "DIFFSYNTH_PT_stylise"
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 1

    def draw(self, context: bpy.types.Context) -> None:
        layout, chosen = self.layout, context.scene.diffsynth.source
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.enabled = not pump.is_running()
        column = layout.column()
        column.prop(chosen, "kind")
        if chosen.kind == "PASSES":
            column.prop(chosen, "passes_file")
            column.prop(chosen, "passes_layer")
            column.prop(chosen, "pictures")
            if chosen.pictures == "FILES":
                column.prop(chosen, "picture_file")
        elif chosen.kind == "STRIP":
            column.prop(chosen, "strip", icon="SEQUENCE")
        if chosen.kind != "RENDER":
            row = layout.row(align=True)
            row.operator(DIFFSYNTH_OT_fit_range.bl_idname, icon="PREVIEW_RANGE")
            row.operator(DIFFSYNTH_OT_check_source.bl_idname, icon="VIEWZOOM")
        if chosen.kind == "PASSES":
            layout.operator(DIFFSYNTH_OT_enable_passes.bl_idname, icon="RENDERLAYERS")


CLASSES = (DIFFSYNTH_PT_source,)
