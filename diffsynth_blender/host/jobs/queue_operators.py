"""What the buttons of the queue do."""

from __future__ import annotations

import bpy

from ...protocol import DiffSynthError
from ..capture.checks import CaptureError
from . import failure as job_failure
from . import history, pump
from . import queue as job_queue
from .choice import chosen_job, why_not_ready


class DIFFSYNTH_OT_queue_add(bpy.types.Operator):
    """Have the shot stylised later."""

    bl_idname = "diffsynth.queue_add"
    bl_label = "Add to Queue"
    bl_description = (
        "Have the shot stylised with the settings of this moment, in a job folder of its own, once those before it in "
        "the queue are done. The scene is rendered as it is then"
    )
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """As for the shot, even while something runs."""
        reason = why_not_ready(context.scene)
        if reason:
            cls.poll_message_set(reason)
        return not reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        scene = context.scene
        try:
            history.put(scene, chosen_job(scene, own_folder=True))
        except (CaptureError, DiffSynthError) as error:
            job_failure.tell(self, scene, error)
            return {"CANCELLED"}
        if pump.is_running():
            job_queue.turn_on()  # it follows what runs
        return {"FINISHED"}


class DIFFSYNTH_OT_queue_start(bpy.types.Operator):
    """Begin with the queue."""

    bl_idname = "diffsynth.queue_start"
    bl_label = "Start Queue"
    bl_description = "Stylise the jobs that wait, in all scenes of the file, one after the other"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only where a job waits for it."""
        reason = "The queue is started" if job_queue.is_on() else "" if job_queue.waiting() else "No job waits"
        if reason:
            cls.poll_message_set(reason)
        return not reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        job_queue.turn_on()
        return {"FINISHED"}


class DIFFSYNTH_OT_queue_stop(bpy.types.Operator):
    """Start no more jobs."""

    bl_idname = "diffsynth.queue_stop"
    bl_label = "Stop Queue"
    bl_description = "Start no more of the jobs that wait; what runs goes on"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only while the queue is started."""
        cls.poll_message_set("The queue is not started")
        return job_queue.is_on()

    def execute(self, context: bpy.types.Context) -> set[str]:
        job_queue.turn_off()
        return {"FINISHED"}


CLASSES = (DIFFSYNTH_OT_queue_add, DIFFSYNTH_OT_queue_start, DIFFSYNTH_OT_queue_stop)
