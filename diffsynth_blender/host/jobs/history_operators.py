"""What the buttons of the history do."""

from __future__ import annotations

from pathlib import Path

import bpy

from ...protocol import JOB_FILE, BadJobError
from ..shot import properties
from . import history, pump
from .button import JobButton
from .choice import why_not_now
from .record import JobRecord, new_record
from .stylisation import begin


class _OfActiveJob(JobButton):
    """A mix-in: a button for the job that is marked in the list."""

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        record = history.active(context.scene)
        return "No job is marked in the list" if record is None else cls.why_not_of(record)

    @classmethod
    def why_not_of(cls, record: JobRecord) -> str:
        """Why the marked job is not one for this button, or ""."""
        raise NotImplementedError


class DIFFSYNTH_OT_run_again(_OfActiveJob, bpy.types.Operator):
    """Do a job of the history again."""

    bl_idname = "diffsynth.run_again"
    bl_label = "Run Again"
    bl_description = (
        "Render and stylise the marked job again, in its folder, with the settings, the frames and the source that it "
        "had. With Reuse Rendered Frames, only stylise again"
    )

    @classmethod
    def why_not_of(cls, record: JobRecord) -> str:
        if pump.is_running():
            return pump.current().title
        return "The job goes on without Blender" if record.state == "DETACHED" else ""

    def act(self, scene: bpy.types.Scene) -> None:
        pump.start(begin(scene, history.active(scene), reuse_capture=scene.diffsynth.reuse_capture))


class DIFFSYNTH_OT_redo(JobButton, bpy.types.Operator):
    """Stylise a range of a finished shot again."""

    bl_idname = "diffsynth.redo"
    bl_label = "Redo Range"
    bl_description = (
        "Stylise these frames of the marked job, or of the last run, again with the settings of this moment. Their "
        "finished neighbours stay as they are, and the new frames fit to them"
    )

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        scene = context.scene
        reason = why_not_now(scene)
        if not reason and not (_redo_folder(scene) / JOB_FILE).is_file():
            reason = "There is no finished shot of this scene; press Stylise first"
        return reason

    def act(self, scene: bpy.types.Scene) -> None:
        jobs = scene.diffsynth.jobs
        if jobs.redo_last < jobs.redo_first:
            raise BadJobError(f"the range {jobs.redo_first} to {jobs.redo_last} is empty; let it end after it starts")
        frames = range(jobs.redo_first, jobs.redo_last + 1)
        settings = properties.to_settings(scene.diffsynth, frames)
        pump.start(begin(scene, new_record(scene.name, _redo_folder(scene), frames, settings, kind="REDO")))


class DIFFSYNTH_OT_forget_job(_OfActiveJob, bpy.types.Operator):
    """Take a job off the list."""

    bl_idname = "diffsynth.forget_job"
    bl_label = "Forget Job"
    bl_description = "Take the marked job off the list, or out of the queue. Its folder and its results stay"

    @classmethod
    def why_not_of(cls, record: JobRecord) -> str:
        return "The job is under way; cancel it first" if record.state in ("RUNNING", "DETACHED") else ""

    def act(self, scene: bpy.types.Scene) -> None:
        history.forget(scene, history.active(scene).key)


class DIFFSYNTH_OT_open_job_folder(_OfActiveJob, bpy.types.Operator):
    """Show a job's files."""

    bl_idname = "diffsynth.open_job_folder"
    bl_label = "Open Folder"
    bl_description = "Show the folder of the marked job in the system's file browser"
    bl_options = {"REGISTER"}

    @classmethod
    def why_not_of(cls, record: JobRecord) -> str:
        return "" if record.job_dir.is_dir() else "The folder of this job is gone"

    def act(self, scene: bpy.types.Scene) -> None:
        bpy.ops.wm.path_open(filepath=history.active(scene).folder)


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
