"""Drawing only: the button with the progress of what runs, what went wrong and what helps, and the list of jobs."""

from __future__ import annotations

import bpy

from ..result.find import scene_with_result
from ..result.operators import DIFFSYNTH_OT_show_result
from ..shot.panel_text import draw_text
from ..shot.shot_panel import ShotSubPanel
from . import failure as job_failure
from . import history, pump
from . import queue as job_queue
from .history_operators import (
    DIFFSYNTH_OT_forget_job,
    DIFFSYNTH_OT_open_job_folder,
    DIFFSYNTH_OT_redo,
    DIFFSYNTH_OT_run_again,
)
from .icon import icon_of
from .job_work import JobWork
from .operators import (
    DIFFSYNTH_OT_cancel,
    DIFFSYNTH_OT_pause,
    DIFFSYNTH_OT_resume,
    DIFFSYNTH_OT_stylise,
    resumable,
)
from .preview import Preview
from .preview_operator import DIFFSYNTH_OT_preview
from .properties import STATES
from .queue_operators import (
    DIFFSYNTH_OT_queue_add,
    DIFFSYNTH_OT_queue_move,
    DIFFSYNTH_OT_queue_start,
    DIFFSYNTH_OT_queue_stop,
)
from .remedies import remedies_of
from .work import Work

ICONS = {identifier: icon for identifier, _, _, icon, _ in STATES}
NAME_SHARE = 0.6  # of a row: the name tells jobs apart; frames and date need no more than the rest
END_ICONS = {"done": "CHECKMARK", "failed": "ERROR"}


class DIFFSYNTH_UL_jobs(bpy.types.UIList):
    """The jobs of a scene: how far each is, and when it was asked for."""

    def filter_items(self, context, data, property_name) -> tuple[list[int], list[int]]:
        """Those that wait come first, the next one at the top; then the others, the newest first."""
        items = getattr(data, property_name)
        shown = bpy.types.UI_UL_list.filter_items_by_name(self.filter_name, self.bitflag_filter_item, items, "name")
        turns = {record.key: turn for turn, record in enumerate(job_queue.waiting_in(context.scene))}
        order = sorted(range(len(items)), key=lambda place: (turns.get(items[place].key, len(turns)), place))
        return shown, [order.index(place) for place in range(len(items))]

    def draw_item(self, context, layout, data, item, icon, active_data, active_property, index) -> None:
        row = layout.split(factor=NAME_SHARE, align=True)
        row.prop(item, "name", text="", emboss=False, icon=ICONS[item.state])
        row.label(text=f"{item.first}–{item.last}  {item.created[5:16]}")


class DIFFSYNTH_PT_jobs(ShotSubPanel, bpy.types.Panel):
    """Queue and history."""

    bl_label = "Jobs"
    bl_order = 8

    def draw_shot(self, layout, context, chosen) -> None:
        jobs, record = chosen.jobs, history.active(context.scene)
        row = layout.row()
        row.template_list("DIFFSYNTH_UL_jobs", "", jobs, "list", jobs, "active", rows=4)
        column = row.column(align=True)
        column.operator(DIFFSYNTH_OT_queue_add.bl_idname, text="", icon="ADD")
        column.operator(DIFFSYNTH_OT_forget_job.bl_idname, text="", icon="REMOVE")
        column.separator()
        queue = DIFFSYNTH_OT_queue_stop if job_queue.is_on() else DIFFSYNTH_OT_queue_start
        column.operator(queue.bl_idname, text="", icon="SNAP_FACE" if job_queue.is_on() else "PLAY")
        if record is not None and record.state == "WAITING":
            column.separator()
            column.operator(DIFFSYNTH_OT_queue_move.bl_idname, text="", icon="TRIA_UP").direction = "UP"
            column.operator(DIFFSYNTH_OT_queue_move.bl_idname, text="", icon="TRIA_DOWN").direction = "DOWN"
        if record is not None:
            if record.message:
                draw_text(layout, context, record.message, ICONS[record.state])
            row = layout.row(align=True)
            row.operator(DIFFSYNTH_OT_resume.bl_idname, icon="PLAY")
            row.operator(DIFFSYNTH_OT_run_again.bl_idname, icon="FILE_REFRESH")
            row.operator(DIFFSYNTH_OT_open_job_folder.bl_idname, text="", icon="FILE_FOLDER")
        column = layout.column(align=True)
        column.prop(jobs, "redo_first")
        column.prop(jobs, "redo_last")
        column.operator(DIFFSYNTH_OT_redo.bl_idname, icon="LOOP_BACK")
        layout.prop(jobs, "on_close")
        layout.prop(jobs, "free_memory")


def draw_job(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The button, or the progress of what runs; how the last thing ended, and what helps."""
    if draw_progress(layout):
        return
    column = layout.column(align=True)
    row = column.row(align=True)
    row.scale_y = 1.4
    row.operator(DIFFSYNTH_OT_stylise.bl_idname, icon="SHADERFX")
    row.operator(DIFFSYNTH_OT_queue_add.bl_idname, text="", icon="ADD")
    row = column.row(align=True)
    row.operator(DIFFSYNTH_OT_preview.bl_idname, text="Preview Frame", icon="IMAGE_DATA").frames = "ONE"
    row.operator(DIFFSYNTH_OT_preview.bl_idname, text="Preview Four", icon="RENDERLAYERS").frames = "FOUR"
    if scene_with_result(context.scene) is not None:
        layout.operator(DIFFSYNTH_OT_show_result.bl_idname, icon="SEQUENCE")
    if pump.is_paused() or resumable(context.scene) is not None:
        row = layout.row(align=True)
        row.operator(DIFFSYNTH_OT_resume.bl_idname, icon="PLAY")
        if pump.is_paused():
            row.operator(DIFFSYNTH_OT_cancel.bl_idname, icon="CANCEL")
    failure = job_failure.last(context.scene)
    if failure is not None:
        _draw_failure(layout, context, failure)
    else:
        draw_end(layout, context, JobWork, Preview)


def draw_progress(layout: bpy.types.UILayout) -> bool:
    """What runs and how far it is, with buttons to hold and stop it; nothing, and False, where nothing runs."""
    if not pump.is_running():
        return False
    work = pump.current()
    layout.progress(factor=work.progress.factor, text=work.progress.line)
    row = layout.row(align=True)
    hold = DIFFSYNTH_OT_pause if work.state == "running" else DIFFSYNTH_OT_resume
    row.operator(hold.bl_idname, icon="PAUSE" if work.state == "running" else "PLAY")
    row.operator(DIFFSYNTH_OT_cancel.bl_idname, icon="CANCEL")
    waiting = len(job_queue.waiting())
    if waiting:
        layout.label(text=f"{waiting} more in the queue", icon="TIME")
    icon = icon_of(getattr(work, "latest_picture", None))
    if icon:  # below the buttons, which stay where they are when the first picture comes
        layout.template_icon(icon_value=icon, scale=8.0)
    return True


def draw_end(layout: bpy.types.UILayout, context: bpy.types.Context, *kinds: type[Work]) -> None:
    """How the last work ended, if it was of one of these kinds."""
    work = pump.current()
    if isinstance(work, kinds) and work.message:
        draw_text(layout, context, work.message, END_ICONS.get(work.state, "INFO"))
        for note in work.notes:
            draw_text(layout, context, note, "INFO")


def _draw_failure(layout: bpy.types.UILayout, context: bpy.types.Context, failure: job_failure.Failure) -> None:
    """What was refused or failed, and a button for everything that helps."""
    box = layout.box()
    draw_text(box, context, failure.message, "ERROR")
    flow = box.column_flow(columns=2, align=True)
    for remedy in remedies_of(failure.kind, failure.message):
        button = flow.operator(remedy.operator, text=remedy.text, icon=remedy.icon)
        for name, value in remedy.arguments.items():
            setattr(button, name, value)


CLASSES = (DIFFSYNTH_UL_jobs, DIFFSYNTH_PT_jobs)
