"""A few frames before the shot: stylised in a small job folder beside the shot's, and shown as pictures.

Same settings, same size. What differs from the shot: depth is normalised over the frames of the preview alone, and
frames at its ends have fewer neighbours to be steadied by.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import bpy

from ...protocol import BadJobError, load_job
from ...protocol.traces import PICTURES_FOLDER, latest_path
from ..capture.reuse import change_settings, find_captured
from ..capture.scene_state import find_block
from ..shot import properties
from ..source.work import source_preparations
from .choice import chosen_frames
from .folders import preview_folder, share_frames
from .preview_pictures import load_pictures, show_pictures
from .session import Session
from .work import Work
from .worker_job import check_ready


class Preview(Work):
    """Some frames from the current one on.

    Raises CaptureError or DiffSynthError, from the constructor, when they are refused; nothing has happened then.
    """

    title = "A preview is being made"
    resume_hint = "Resume goes on where it stopped"

    def __init__(self, scene: bpy.types.Scene, count: int) -> None:
        chosen = scene.diffsynth
        shot_dir = properties.job_folder(scene).resolve()
        self.job_dir = preview_folder(shot_dir)
        step = max(1, properties.frame_range(scene)[2])
        frames = range(scene.frame_current, scene.frame_current + count * step, step)
        settings = properties.to_settings(chosen, frames)
        check_ready(settings)
        self.scene_uid = scene.session_uid
        shot = find_captured(scene, shot_dir, chosen_frames(scene)) if chosen.reuse_capture else None
        if chosen.reuse_capture and find_captured(scene, self.job_dir, frames):
            change_settings(self.job_dir, settings)
            preparations = []
        elif shot is not None and set(frames) <= set(shot.shot.frames):
            share_frames(shot, shot_dir, self.job_dir, frames, settings)
            preparations = []
        else:
            preparations = source_preparations(scene, self.job_dir, frames, settings)
        super().__init__(preparations)
        self.frees_memory = chosen.jobs.free_memory

    @property
    def latest_picture(self) -> Path | None:
        """The newest picture to look at."""
        path = latest_path(self.job_dir)
        return path if self._preparations.are_done and path.is_file() else None

    def submit(self, session: Session) -> str:
        pictures = self.job_dir / PICTURES_FOLDER
        shutil.rmtree(pictures, ignore_errors=True)  # of other frames, or other controls
        pictures.mkdir(parents=True)
        return session.submit(self.job_dir)

    def finish(self) -> str:
        scene = find_block(bpy.data.scenes, self.scene_uid)
        if scene is None:
            raise BadJobError(f"the scene of the preview was deleted; its pictures are in {self.job_dir}")
        images = load_pictures(self.job_dir)
        frames = load_job(self.job_dir).shot.frames
        if not bpy.app.background:
            show_pictures(images, frames)
        which = f"frame {frames[0]}" if len(frames) == 1 else f"frames {frames[0]} to {frames[-1]}"
        return f"Preview of {which}; see the images {images[0].name!r} to {images[-1].name!r} in an image editor"
