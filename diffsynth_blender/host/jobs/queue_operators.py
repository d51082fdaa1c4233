"""What the buttons of the queue do."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty

from . import history, pump
from . import queue as job_queue
from .button import JobButton
from .choice import chosen_job, why_not_ready


class DIFFSYNTH_OT_queue_add(JobButton, bpy.types.Operator):
    """Have the shot stylised later."""

    bl_idname = "diffsynth.queue_add"
    bl_label = "Add to Queue"
    bl_description = (
        "Have the shot stylised with the settings of this moment, in a job folder of its own, once those before it in "
        "the queue are done. The scene is rendered as it is then"
    )

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """As for the shot, even while something runs."""
        return why_not_ready(context.scene)

    def act(self, scene: bpy.types.Scene) -> None:
        history.put(scene, chosen_job(scene, own_folder=True))
        if pump.is_running():
            job_queue.turn_on()  # it follows what runs


class DIFFSYNTH_OT_queue_start(JobButton, bpy.types.Operator):
    """Begin with the queue."""

    bl_idname = "diffsynth.queue_start"
    bl_label = "Start Queue"
    bl_description = "Stylise the jobs that wait, in all scenes of the file, one after the other"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        if job_queue.is_on():
            return "The queue is started"
        return "" if job_queue.waiting() else "No job waits"

    def act(self, scene: bpy.types.Scene) -> None:
        job_queue.turn_on()


class DIFFSYNTH_OT_queue_stop(JobButton, bpy.types.Operator):
    """Start no more jobs."""

    bl_idname = "diffsynth.queue_stop"
    bl_label = "Stop Queue"
    bl_description = "Start no more of the jobs that wait; what runs goes on"
    bl_options = {"REGISTER"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        return "" if job_queue.is_on() else "The queue is not started"

    def act(self, scene: bpy.types.Scene) -> None:
        job_queue.turn_off()


class DIFFSYNTH_OT_queue_move(JobButton, bpy.types.Operator):
    """Have a job wait for fewer others, or for more."""

    bl_idname = "diffsynth.queue_move"
    bl_label = "Move in Queue"
    bl_description = "Let the marked job and the waiting one beside it change places"
    bl_options = {"REGISTER"}  # no undo step: what the queue does is not undone

    direction: EnumProperty(
        name="Direction",
        description="Which way the job goes",
        items=(
            ("UP", "Up", "It is done before the one that was before it"),
            ("DOWN", "Down", "It is done after the one that was after it"),
        ),
    )

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        record = history.active(context.scene)
        if record is None or record.state != "WAITING":
            return "The marked job does not wait"
        return "" if len(job_queue.waiting_in(context.scene)) > 1 else "No other job of this scene waits"

    def act(self, scene: bpy.types.Scene) -> None:
        job_queue.move(scene, history.active(scene), -1 if self.direction == "UP" else 1)


CLASSES = (DIFFSYNTH_OT_queue_add, DIFFSYNTH_OT_queue_start, DIFFSYNTH_OT_queue_stop, DIFFSYNTH_OT_queue_move)
