"""What the buttons of the history do."""

from __future__ import annotations

from pathlib import Path

import bpy

from ...protocol import JOB_FILE, BadJobError, DiffSynthError
from ..capture.checks import CaptureError
from ..shot import properties
from . import failure as job_failure
from . import history, pump
from .choice import why_not_ready
from .record import JobRecord, new_record
from .stylisation import begin


class _OfActiveJob:
    """A mix-in: a button for the job that is marked in the list."""

    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Say under the button why it cannot be pressed."""
        record = history.active(context.scene)
        reason = "No job is marked in the list" if record is None else cls.why_not(record)
        if reason:
            cls.poll_message_set(reason)
        return not reason

    @classmethod
    def why_not(cls, record: JobRecord) -> str:
        """Why the marked job is not one for this button, or ""."""
        return ""


class DIFFSYNTH_OT_run_again(_OfActiveJob, bpy.types.Operator):
    """Do a job of the history again."""

    bl_idname = "diffsynth.run_again"
    bl_label = "Run Again"
    bl_description = (
        "Render and stylise the marked job again, in its folder, with the settings that it had. With Reuse Rendered "
        "Frames, only stylise again"
    )

    @classmethod
    def why_not(cls, record: JobRecord) -> str:
        if pump.is_running():
            return pump.current().title
        return "The job goes on without Blender" if record.state == "DETACHED" else ""

    def execute(self, context: bpy.types.Context) -> set[str]:
        scene = context.scene
        try:
            work = begin(scene, history.active(scene), reuse_capture=scene.diffsynth.reuse_capture)
        except (CaptureError, DiffSynthError) as error:
            job_failure.tell(self, scene, error)
            return {"CANCELLED"}
        pump.start(work)
        return {"FINISHED"}


class DIFFSYNTH_OT_redo(bpy.types.Operator):
    """Stylise a range of a finished shot again."""

    bl_idname = "diffsynth.redo"
    bl_label = "Redo Range"
    bl_description = (
        "Stylise these frames of the marked job, or of the last run, again with the settings of this moment. Their "
        "finished neighbours stay as they are, and the new frames fit to them"
    )
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Say under the button why it cannot be pressed."""
        reason = pump.current().title if pump.is_running() else why_not_ready(context.scene)
        if not reason and not (_redo_folder(context.scene) / JOB_FILE).is_file():
            reason = "There is no finished shot of this scene; press Stylise first"
        if reason:
            cls.poll_message_set(reason)
        return not reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        scene, jobs = context.scene, context.scene.diffsynth.jobs
        try:
            if jobs.redo_last < jobs.redo_first:
                raise BadJobError(
                    f"the range {jobs.redo_first} to {jobs.redo_last} is empty; let it end after it starts"
                )
            frames = range(jobs.redo_first, jobs.redo_last + 1)
            settings = properties.to_settings(scene.diffsynth, frames)
            work = begin(scene, new_record(scene.name, _redo_folder(scene), frames, settings, kind="REDO"))
        except (CaptureError, DiffSynthError) as error:
            job_failure.tell(self, scene, error)
            return {"CANCELLED"}
        pump.start(work)
        return {"FINISHED"}


class DIFFSYNTH_OT_forget_job(_OfActiveJob, bpy.types.Operator):
    """Take a job off the list."""

    bl_idname = "diffsynth.forget_job"
    bl_label = "Forget Job"
    bl_description = "Take the marked job off the list, or out of the queue. Its folder and its results stay"

    @classmethod
    def why_not(cls, record: JobRecord) -> str:
        return "The job is under way; cancel it first" if record.state in ("RUNNING", "DETACHED") else ""

    def execute(self, context: bpy.types.Context) -> set[str]:
        history.forget(context.scene, history.active(context.scene).key)
        return {"FINISHED"}


class DIFFSYNTH_OT_open_job_folder(_OfActiveJob, bpy.types.Operator):
    """Show a job's files."""

    bl_idname = "diffsynth.open_job_folder"
    bl_label = "Open Folder"
    bl_description = "Show the folder of the marked job in the system's file browser"
    bl_options = {"REGISTER"}

    @classmethod
    def why_not(cls, record: JobRecord) -> str:
        return "" if record.job_dir.is_dir() else "The folder of this job is gone"

    def execute(self, context: bpy.types.Context) -> set[str]:
        bpy.ops.wm.path_open(filepath=history.active(context.scene).folder)
        return {"FINISHED"}


def _redo_folder(scene: bpy.types.Scene) -> Path:
    """The folder of the marked job, else that of the scene."""
    record = history.active(scene)
    return record.job_dir if record is not None else properties.job_folder(scene).resolve()


CLASSES = (
    DIFFSYNTH_OT_run_again,
    DIFFSYNTH_OT_redo,
    DIFFSYNTH_OT_forget_job,
    DIFFSYNTH_OT_open_job_folder,
)
