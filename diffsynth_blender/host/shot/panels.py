"""Drawing only: the main panel in Render properties. What few people need is in closed panels below it."""

import bpy

from ...protocol.looks import LOOKS
from ..jobs.panel import draw_job
from ..setup.models_panel import draw_needs
from .list_operators import DIFFSYNTH_OT_new_seed
from .panel_frames import draw_regions
from .panel_text import draw_sentence
from .presets import DIFFSYNTH_PT_presets
from .properties import look_name
from .shot_panel import ShotPanel


class DIFFSYNTH_PT_stylise(ShotPanel, bpy.types.Panel):
    """Look, prompt, strength, seed, range, and the button."""

    bl_label = "DiffSynth"

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        DIFFSYNTH_PT_presets.draw_panel_header(self.layout)

    def draw_shot(self, layout, context, chosen) -> None:
        layout.prop(chosen, "look")
        _draw_needs(layout, chosen)
        draw_sentence(layout, chosen, "prompt")
        draw_sentence(layout, chosen, "negative_prompt")
        column = layout.column(align=True)
        column.prop(chosen, "strength")
        column.prop(chosen, "guidance_scale", slider=True)
        row = layout.row(align=True)
        row.prop(chosen, "seed")
        row.operator(DIFFSYNTH_OT_new_seed.bl_idname, text="", icon="FILE_REFRESH")
        layout.prop(chosen, "use_own_range")
        own = layout.column(align=True)
        own.enabled = chosen.use_own_range
        source = chosen if chosen.use_own_range else context.scene
        own.prop(source, "frame_start", text="Frame Start")
        own.prop(source, "frame_end", text="End")
        own.prop(source, "frame_step", text="Step")
        layout.prop(chosen, "output_folder")
        layout.prop(chosen, "reuse_capture")
        draw_needs(layout, context, chosen)
        draw_job(layout, context)


def _draw_needs(layout: bpy.types.UILayout, chosen: bpy.types.PropertyGroup) -> None:
    """What the chosen look cannot do without."""
    needs = LOOKS[look_name(chosen)].needs
    if "reference" in needs:
        layout.prop(chosen, "reference_image")
    if "regions" in needs:
        draw_regions(layout, chosen)


CLASSES = (DIFFSYNTH_PT_stylise,)
