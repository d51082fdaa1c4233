"""Drawing only: one panel in Render properties, and what few people need in a closed panel below it."""

import textwrap

import bpy

from ..protocol.looks import LOOKS
from . import pump
from .operators import DIFFSYNTH_OT_cancel, DIFFSYNTH_OT_show_result, DIFFSYNTH_OT_stylise
from .properties import look_name
from .strip import find_edit_scene
from .stylisation import Stylisation
from .work import Progress, Work


class DIFFSYNTH_PT_stylise(bpy.types.Panel):
    """Prompt, strength, seed, range, and the button."""

    bl_label = "DiffSynth"
    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "render"

    def draw(self, context: bpy.types.Context) -> None:
        layout, scene = self.layout, context.scene
        chosen = scene.diffsynth
        layout.use_property_split = True
        layout.use_property_decorate = False
        column = layout.column()
        column.enabled = not pump.is_running()
        column.prop(chosen, "look")
        _draw_needs(column, chosen)
        _draw_sentence(column, chosen, "prompt")
        column.prop(chosen, "strength")
        column.prop(chosen, "seed")
        column.prop(chosen, "use_own_range")
        own = column.column(align=True)
        own.enabled = chosen.use_own_range
        source = chosen if chosen.use_own_range else scene
        own.prop(source, "frame_start", text="Frame Start")
        own.prop(source, "frame_end", text="End")
        own.prop(source, "frame_step", text="Step")
        column.prop(chosen, "output_folder")
        column.prop(chosen, "reuse_capture")
        _draw_job(layout, context)


class DIFFSYNTH_PT_advanced(bpy.types.Panel):
    """Everything with a default that is good for most shots."""

    bl_label = "Advanced"
    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "render"
    bl_parent_id = "DIFFSYNTH_PT_stylise"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, chosen = self.layout, context.scene.diffsynth
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.enabled = not pump.is_running()
        column = layout.column()
        column.prop(chosen, "model")
        if chosen.model == "FOLDER":
            column.prop(chosen, "model_folder")
        column.prop(chosen, "device")
        column = layout.column()
        _draw_sentence(column, chosen, "negative_prompt")
        column.prop(chosen, "steps")
        column.prop(chosen, "guidance_scale")
        column.prop(chosen, "depth_scale")
        column.prop(chosen, "normal_scale")
        column = layout.column()
        column.prop(chosen, "use_deflicker")
        window = column.column()
        window.enabled = chosen.use_deflicker
        window.prop(chosen, "window")


def _draw_needs(layout: bpy.types.UILayout, chosen: bpy.types.PropertyGroup) -> None:
    """What the chosen look cannot do without."""
    needs = LOOKS[look_name(chosen)].needs
    if "reference" in needs:
        layout.prop(chosen, "reference_image")
    if "regions" in needs:
        layout.prop(chosen, "region")
        _draw_sentence(layout, chosen, "region_prompt")


def _draw_sentence(layout: bpy.types.UILayout, owner: bpy.types.PropertyGroup, name: str) -> None:
    """A text property over the panel's whole width: half of it, as is usual, shows two words of a prompt."""
    column = layout.column(align=True)
    column.use_property_split = False
    column.label(text=owner.bl_rna.properties[name].name)
    column.prop(owner, name, text="")


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
        _draw_text(layout, context, work.message, icon)
        for note in work.notes:
            _draw_text(layout, context, note, "INFO")


def _progress_line(progress: Progress) -> str:
    if not progress.seconds_left:
        return progress.text
    minutes, seconds = divmod(round(progress.seconds_left), 60)
    return f"{progress.text}, {minutes}:{seconds:02d} left"


def _draw_text(layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str) -> None:
    """A sentence over as many lines as it needs; a label alone would cut it off."""
    # A letter of the interface's font is about 7 px wide at scale 1; the icon and margins take about 60 px.
    width = int((context.region.width - 60) / (7 * context.preferences.system.ui_scale))
    column = layout.column(align=True)
    for number, line in enumerate(textwrap.wrap(text, max(20, width))):
        column.label(text=line, icon=icon if number == 0 else "BLANK1")


CLASSES = (DIFFSYNTH_PT_stylise, DIFFSYNTH_PT_advanced)
