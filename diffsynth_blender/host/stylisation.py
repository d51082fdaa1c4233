"""What the button Stylise starts: the shot rendered in a second Blender, restyled by the worker, shown as a strip."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..client import WorkerSession
from ..protocol import BadJobError, Settings
from . import api
from .child import ChildCapture
from .reuse import change_settings, find_captured
from .scene_state import find_block
from .strip import find_edit_scene, insert_strip
from .work import Work


class Stylisation(Work):
    """One shot on its way: capture, worker, strip.

    Raises CaptureError or DiffSynthError, from the constructor, when the shot is refused; nothing has happened then.
    """

    title = "A shot is being stylised"
    resume_hint = "Stylise with Reuse Rendered Frames goes on where it stopped"

    def __init__(
        self, scene: bpy.types.Scene, job_dir: Path, frames: range, settings: Settings, *, reuse_capture: bool = False
    ) -> None:
        api.check_ready(settings)
        self._scene_uid = scene.session_uid
        self._job_dir = job_dir
        self._frames = frames
        if reuse_capture and find_captured(scene, job_dir, frames):
            change_settings(job_dir, settings)
            super().__init__([])
        else:
            super().__init__([lambda: ChildCapture(scene, job_dir, frames, settings)])

    def submit(self, session: WorkerSession) -> str:
        return session.submit(self._job_dir)

    def finish(self) -> str:
        scene = find_block(bpy.data.scenes, self._scene_uid)
        if scene is None:
            raise BadJobError(f"the shot's scene was deleted; its results are in {self._job_dir / 'output'}")
        insert_strip(scene, self._job_dir)
        if not bpy.app.background:
            bpy.ops.ed.undo_push(message="Insert Stylised Strip")
        return f"{len(self._frames)} frames in the scene {find_edit_scene(scene).name!r}"
