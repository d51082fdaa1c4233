"""Drawing only: the tab DiffSynth in the sequencer's sidebar."""

import bpy

from .. import compat
from ..compat import STRIP_TAB, sequencer_scene
from ..deflicker.deflickering import Deflickering
from ..deflicker.operators import DIFFSYNTH_OT_deflicker
from ..jobs import pump
from ..jobs.panel import draw_end, draw_progress
from .panel import draw_result_buttons
from .sequencer import active_strip
from .strip_frames import READABLE


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


class DIFFSYNTH_PT_strip_result(bpy.types.Panel):
    """What can be done with the active strip and its result."""

    bl_label = "Result"
    bl_space_type = "SEQUENCE_EDITOR"
    bl_region_type = "UI"
    bl_category = "DiffSynth"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with an active strip that holds frames."""
        strip = active_strip(sequencer_scene(context))
        return strip is not None and (strip.type in READABLE or strip.type == "WIPE")

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        draw_result_buttons(layout, context, active_strip(sequencer_scene(context)))


class DIFFSYNTH_PT_strip_tab(bpy.types.Panel):
    """The same among the properties of the strip, where Blender has a tab for them."""

    bl_label = "DiffSynth Result"
    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "strip"
    bl_options = {"DEFAULT_CLOSED"}

    poll = DIFFSYNTH_PT_strip_result.poll
    draw = DIFFSYNTH_PT_strip_result.draw


CLASSES = (DIFFSYNTH_PT_deflicker, DIFFSYNTH_PT_strip_result, *((DIFFSYNTH_PT_strip_tab,) if STRIP_TAB else ()))
