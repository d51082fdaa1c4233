"""Drawing only: the main panel in Render properties. What few people need is in closed panels below it."""

import bpy

from ..protocol.looks import LOOKS
from . import pump
from .list_operators import DIFFSYNTH_OT_new_seed
from .operators import DIFFSYNTH_OT_cancel, DIFFSYNTH_OT_show_result, DIFFSYNTH_OT_stylise
from .panel_frames import draw_regions
from .panel_text import draw_sentence, draw_text
from .presets import DIFFSYNTH_PT_presets
from .properties import look_name
from .shot_panel import ShotPanel
from .strip import find_edit_scene
from .stylisation import Stylisation
from .work import Progress, Work


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
        _draw_job(layout, context)


def _draw_needs(layout: bpy.types.UILayout, chosen: bpy.types.PropertyGroup) -> None:
    """What the chosen look cannot do without."""
    needs = LOOKS[look_name(chosen)].needs
    if "reference" in needs:
        layout.prop(chosen, "reference_image")
    if "regions" in needs:
        draw_regions(layout, chosen)


def _draw_job(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The button, or the progress of what runs, and how the last stylisation ended."""
    if draw_progress(layout):
        return
    row = layout.row()
    row.scale_y = 1.4
    row.operator(DIFFSYNTH_OT_stylise.bl_idname, icon="SHADERFX")
    if find_edit_scene(context.scene) is not None:
        layout.operator(DIFFSYNTH_OT_show_result.bl_idname, icon="SEQUENCE")
    draw_end(layout, context, Stylisation)


def draw_progress(layout: bpy.types.UILayout) -> bool:
    """What runs and how far it is, with a button to stop it; nothing, and False, where nothing runs."""
    if not pump.is_running():
        return False
    progress = pump.current().progress
    layout.progress(factor=progress.factor, text=_progress_line(progress))
    layout.operator(DIFFSYNTH_OT_cancel.bl_idname, icon="CANCEL")
    return True


def draw_end(layout: bpy.types.UILayout, context: bpy.types.Context, kind: type[Work]) -> None:
    """How the last job ended, if it was of this kind."""
    work = pump.current()
    if isinstance(work, kind):
        icon = {"done": "CHECKMARK", "cancelled": "INFO", "failed": "ERROR"}[work.state]
        draw_text(layout, context, work.message, icon)
        for note in work.notes:
            draw_text(layout, context, note, "INFO")


def _progress_line(progress: Progress) -> str:
    if not progress.seconds_left:
        return progress.text
    minutes, seconds = divmod(round(progress.seconds_left), 60)
    return f"{progress.text}, {minutes}:{seconds:02d} left"


CLASSES = (DIFFSYNTH_PT_stylise,)
