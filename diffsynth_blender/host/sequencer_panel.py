"""Drawing only: the tab DiffSynth in the sequencer's sidebar."""

import bpy

from . import compat, pump
from .compat import sequencer_scene
from .deflicker_operators import DIFFSYNTH_OT_deflicker
from .deflickering import Deflickering
from .panels import draw_end, draw_progress


class DIFFSYNTH_PT_deflicker(bpy.types.Panel):
    """Mode, window, guide, and the button."""

    bl_label = "Deflicker"
    bl_space_type = "SEQUENCE_EDITOR"
    bl_region_type = "UI"
    bl_category = "DiffSynth"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only where the sequencer shows a scene."""
        scene = sequencer_scene(context)
        return scene is not None and scene.sequence_editor is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout, scene = self.layout, sequencer_scene(context)
        chosen = scene.diffsynth_deflicker
        layout.use_property_split = True
        layout.use_property_decorate = False
        column = layout.column()
        column.enabled = not pump.is_running()
        column.prop(chosen, "mode")
        window = column.column()
        window.enabled = chosen.mode != "KEYFRAMES"
        window.prop(chosen, "window")
        column.prop(chosen, "guide")
        if chosen.guide == "OTHER":
            editor = scene.sequence_editor
            # Not strips_of: that one makes an editor where there is none, which drawing may not.
            column.prop_search(chosen, "guide_strip", editor, compat.strips_name(editor))
        column.prop(chosen, "device")
        column.prop(chosen, "output_folder")
        if draw_progress(layout):
            return
        row = layout.row()
        row.scale_y = 1.4
        row.operator(DIFFSYNTH_OT_deflicker.bl_idname, icon="MOD_SMOOTH")
        draw_end(layout, context, Deflickering)


CLASSES = (DIFFSYNTH_PT_deflicker,)
