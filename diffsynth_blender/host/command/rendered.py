"""What follows a render with the scene's option on: as `run` with the scene's own settings and nothing else.

The Blender that has just rendered must not render here (see `render_hook.py`): another one does.
"""

from __future__ import annotations

import time

import bpy

from ...protocol import JobCancelledError
from .. import api, saved
from ..capture.child import ChildCapture
from ..source.work import source_preparations
from .log import CommandLog
from .result import place, save_copy


def stylise_rendered(scene: bpy.types.Scene, log: CommandLog) -> None:
    """Capture elsewhere, stylise, put the result in its place, save.

    Raises CaptureError or DiffSynthError saying why it did not end well.
    """
    start, end, step = saved.frame_range(scene)
    frames = range(start, end + 1, step)
    settings, job_dir = saved.settings(scene, frames), saved.job_folder(scene)
    api.check_ready(settings)
    for begin in source_preparations(scene, job_dir, frames, settings):
        _wait(begin(), log)
    api.stylise(job_dir, on_event=log.event)
    place(scene, job_dir, log)
    save_copy(scene, job_dir, log)


def _wait(capture: ChildCapture, log: CommandLog) -> None:
    shown = 0
    while (status := capture.tick()).state == "running":
        if status.renders_done > shown:
            shown = status.renders_done
            log.rendered(shown, status.render_count, status.frame)
        time.sleep(api.POLL_SECONDS)
    if status.state != "done":
        raise JobCancelledError("cancelled during the render; nothing was stylised")
