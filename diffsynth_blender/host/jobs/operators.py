"""What the buttons for the job of a scene do: start, pause, go on, stop. The work itself is in pump.py and api.py."""

from __future__ import annotations

import bpy

from ...protocol import Settings
from .. import api
from ..result.place import place_result
from ..shot import properties
from . import history, pump
from . import queue as job_queue
from .button import JobButton
from .choice import chosen_frames, chosen_job, why_not_now
from .record import RESUMABLE, JobRecord
from .stylisation import begin, go_on


class DIFFSYNTH_OT_stylise(JobButton, bpy.types.Operator):
    """Render the shot with its exact passes, restyle it in the worker, and show the result as a strip."""

    bl_idname = "diffsynth.stylise"
    bl_label = "Stylise"
    bl_description = (
        "Render the shot, restyle it as the prompt says, and show the result as a strip in an edit scene of its own. "
        "Blender stays usable meanwhile"
    )

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        return why_not_now(context.scene)

    def act(self, scene: bpy.types.Scene) -> None:
        if bpy.app.background:  # timers never fire there
            _stylise_blocking(scene, properties.to_settings(scene.diffsynth, chosen_frames(scene)))
        else:
            pump.start(begin(scene, chosen_job(scene), reuse_capture=scene.diffsynth.reuse_capture))


class DIFFSYNTH_OT_pause(JobButton, bpy.types.Operator):
    """Hold what runs."""

    bl_idname = "diffsynth.pause"
    bl_label = "Pause"
    bl_description = (
        "Stop after the step that is running and free the memory of the worker; Resume goes on with the next step, as "
        "if nothing had been. A render waits before its next frame"
    )
    bl_options = {"REGISTER"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        work = pump.current()
        return work.why_no_pause() if pump.is_running() and work.state == "running" else "Nothing is under way"

    def act(self, scene: bpy.types.Scene) -> None:
        job_queue.turn_off()
        pump.pause()


class DIFFSYNTH_OT_resume(JobButton, bpy.types.Operator):
    """Go on where something was paused or stopped."""

    bl_idname = "diffsynth.resume"
    bl_label = "Resume"
    bl_description = "Go on with the job where it was paused, stopped or failed, with the settings that it had"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        if pump.is_running() and pump.current().state == "running":
            return pump.current().title
        can_go_on = pump.is_paused() or resumable(context.scene) is not None
        return "" if can_go_on else "No job of this scene was paused or stopped"

    def act(self, scene: bpy.types.Scene) -> None:
        if pump.is_paused():
            pump.resume()
        else:
            pump.start(go_on(scene, resumable(scene)))


class DIFFSYNTH_OT_cancel(JobButton, bpy.types.Operator):
    """Stop what runs."""

    bl_idname = "diffsynth.cancel"
    bl_label = "Cancel"
    bl_description = "Stop after the step that is running; finished frames stay. Pressed again, stop at once"
    bl_options = {"REGISTER"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        return "" if pump.is_running() or pump.is_paused() else "Nothing is under way"

    def act(self, scene: bpy.types.Scene) -> None:
        pump.cancel()


def resumable(scene: bpy.types.Scene) -> JobRecord | None:
    """The job that Resume goes on with: the marked one, else the newest, if it was stopped."""
    chosen = history.active(scene)
    return chosen if chosen is not None and chosen.state in RESUMABLE else None


def _stylise_blocking(scene: bpy.types.Scene, settings: Settings) -> None:
    frames, job_dir = chosen_frames(scene), properties.job_folder(scene)
    api.check_ready(settings)
    api.capture(
        scene,
        job_dir,
        settings=settings,
        frame_start=frames[0],
        frame_end=frames[-1],
        frame_step=frames.step,
        overwrite=True,
        reuse=scene.diffsynth.reuse_capture,
    )
    api.stylise(job_dir)
    place_result(scene, job_dir)


CLASSES = (
    DIFFSYNTH_OT_stylise,
    DIFFSYNTH_OT_pause,
    DIFFSYNTH_OT_resume,
    DIFFSYNTH_OT_cancel,
)
