"""Whether a scene can be stylised now, and as what: what the buttons that start jobs have in common."""

from __future__ import annotations

import bpy

from ...protocol import BadJobError, DiffSynthError
from .. import preferences
from ..result.strip import is_edit_scene
from ..shot import properties
from ..source.source import chosen_source, write_source
from . import history, pump
from .folders import free_folder
from .record import JobRecord, new_record


def why_not_ready(scene: bpy.types.Scene) -> str:
    """Why the scene cannot be stylised as it is, or "". Called at every redraw, so it looks at little."""
    if is_edit_scene(scene):
        return "This scene shows results; switch to the scene of the shot"
    try:
        if not scene.diffsynth.prompt.strip():
            raise BadJobError("the prompt is empty; describe what the shot should look like")
        properties.job_folder(scene)
        properties.to_settings(scene.diffsynth)
        preferences.worker_python()
    except DiffSynthError as error:
        return sentence(error)
    return ""


def why_not_now(scene: bpy.types.Scene) -> str:
    """As `why_not_ready`, and because something else is under way."""
    return pump.current().title if pump.is_running() else why_not_ready(scene)


def sentence(error: Exception) -> str:
    """An error's message as it stands under a button."""
    text = str(error)
    return text[:1].upper() + text[1:]


def chosen_frames(scene: bpy.types.Scene) -> range:
    """The frames that the artist chose."""
    start, end, step = properties.frame_range(scene)
    return range(start, end + 1, step)


def chosen_job(scene: bpy.types.Scene, *, own_folder: bool = False) -> JobRecord:
    """The job that the artist chose, to be entered in the history.

    Args:
        scene: The shot's scene.
        own_folder: Whether it gets a folder that no other job has; otherwise the scene's, as the last run had.

    Raises BadJobError or CaptureError when a choice is incomplete.
    """
    frames = chosen_frames(scene)
    folder = properties.job_folder(scene).resolve()
    if own_folder:
        folder = free_folder(folder, {record.job_dir for _, record in history.everywhere()})
    settings = properties.to_settings(scene.diffsynth, frames)
    return new_record(scene.name, folder, frames, settings, source=write_source(chosen_source(scene)))
