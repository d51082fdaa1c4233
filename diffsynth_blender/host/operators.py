"""What the buttons do: check, start, tell. The work itself is in pump.py and api.py."""

import bpy

from ..protocol import BadJobError, DiffSynthError, Settings
from . import api, preferences, properties, pump
from .capture_checks import CaptureError
from .show import show_edit_scene
from .strip import find_edit_scene, is_edit_scene
from .stylisation import Stylisation


class DIFFSYNTH_OT_stylise(bpy.types.Operator):
    """Render the shot with its exact passes, restyle it in the worker, and show the result as a strip."""

    bl_idname = "diffsynth.stylise"
    bl_label = "Stylise"
    bl_description = (
        "Render the shot, restyle it as the prompt says, and show the result as a strip in an edit scene of its own. "
        "Blender stays usable meanwhile"
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Say under the button why it cannot be pressed."""
        reason = _why_not(context.scene)
        if reason:
            cls.poll_message_set(reason)
        return not reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        scene = context.scene
        chosen = scene.diffsynth
        start, end, step = properties.frame_range(scene)
        try:
            settings = properties.to_settings(chosen)
            job_dir = properties.job_folder(scene)
            if bpy.app.background:  # timers never fire there
                _stylise_blocking(scene, settings)
                return {"FINISHED"}
            stylisation = Stylisation(
                scene, job_dir, range(start, end + 1, step), settings, reuse_capture=chosen.reuse_capture
            )
        except (CaptureError, DiffSynthError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        pump.start(stylisation)
        return {"FINISHED"}


class DIFFSYNTH_OT_cancel(bpy.types.Operator):
    """Stop what runs."""

    bl_idname = "diffsynth.cancel"
    bl_label = "Cancel"
    bl_description = "Stop after the step that is running; finished frames stay. Pressed again, stop at once"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only while something runs."""
        cls.poll_message_set("Nothing is under way")
        return pump.is_running()

    def execute(self, context: bpy.types.Context) -> set[str]:
        pump.current().cancel()
        return {"FINISHED"}


class DIFFSYNTH_OT_show_result(bpy.types.Operator):
    """Go to the shot's edit scene."""

    bl_idname = "diffsynth.show_result"
    bl_label = "Show Result"
    bl_description = "Go to the edit scene with the stylised strip, in a sequencer"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only where there is a result."""
        cls.poll_message_set("This scene has not been stylised yet")
        return find_edit_scene(context.scene) is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        show_edit_scene(context.window, find_edit_scene(context.scene))
        return {"FINISHED"}


def _why_not(scene: bpy.types.Scene) -> str:
    """Why the scene cannot be stylised now, or "". Called at every redraw, so it looks at little."""
    if pump.is_running():
        return pump.current().title
    if is_edit_scene(scene):
        return "This scene shows results; switch to the scene of the shot"
    try:
        if not scene.diffsynth.prompt.strip():
            raise BadJobError("the prompt is empty; describe what the shot should look like")
        properties.job_folder(scene)
        properties.to_settings(scene.diffsynth)
        preferences.worker_python()
    except DiffSynthError as error:
        return str(error)[0].upper() + str(error)[1:]
    return ""


def _stylise_blocking(scene: bpy.types.Scene, settings: Settings) -> None:
    start, end, step = properties.frame_range(scene)
    job_dir = properties.job_folder(scene)
    api.check_ready(settings)
    api.capture(
        scene,
        job_dir,
        settings=settings,
        frame_start=start,
        frame_end=end,
        frame_step=step,
        overwrite=True,
        reuse=scene.diffsynth.reuse_capture,
    )
    api.stylise(job_dir)
    api.insert_strip(scene, job_dir)


CLASSES = (DIFFSYNTH_OT_stylise, DIFFSYNTH_OT_cancel, DIFFSYNTH_OT_show_result)
