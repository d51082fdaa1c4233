"""Capture: render a shot into a job folder, frame by frame, and leave the scene as it was.

One generator knows the order of things (`Capture._renders`). Between two renders the scene is as the artist left it,
but for the current frame. The interface runs this in a second Blender (child.py): renders started one by one from a
timer were seen to crash the artist's own.

Knows nothing of diffusion; what the passes are is in passes.py, what else a shot may come from in source/source.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import bpy

from ...protocol import Job, Settings
from .checks import check_scene
from .folder import PASSES_PATTERN, SOURCE_PATTERN
from .frame import artist_frame
from .passes import exact_passes, layer_name
from .recorder import ShotRecorder
from .run import CaptureRun, CaptureStatus
from .scene_state import Borrowed, same_frame_after, same_images_after
from .shot import describe_shot

__all__ = ["Capture", "CaptureStatus"]


class Capture(CaptureRun):
    """Renders the frames of a scene and their exact passes into a job folder.

    Args:
        scene: The artist's scene.
        job_dir: Folder to fill; made where there is none.
        settings: What job.json says about the restyling.
        frame_start: First scene frame; the scene's own by default, as for the next two.
        frame_end: Last scene frame.
        frame_step: Stylise every how many-th frame; passes are rendered for all frames in between as well.
        overwrite: Replace a job that the folder already holds.
        go_on: Render only what the folder lacks: it holds the beginning of this very shot.

    Raises:
        CaptureError: The scene or the folder is refused; nothing has been rendered or changed.
    """

    def __init__(
        self,
        scene: bpy.types.Scene,
        job_dir: Path,
        *,
        settings: Settings,
        frame_start: int | None = None,
        frame_end: int | None = None,
        frame_step: int | None = None,
        overwrite: bool = False,
        go_on: bool = False,
    ) -> None:
        start = scene.frame_start if frame_start is None else frame_start
        end = scene.frame_end if frame_end is None else frame_end
        step = scene.frame_step if frame_step is None else frame_step
        frames = range(start, end + 1, step) if step > 0 else range(0)
        check_scene(scene, frames)
        self._pass_frames = range(frames[0], frames[-1] + 1)
        render_count = len(frames) + len(self._pass_frames)
        super().__init__(scene, job_dir, frames, render_count, settings, overwrite=overwrite, go_on=go_on)

    def _renders(self) -> Iterator[bpy.types.Scene | None]:
        """Everything in order; suspended at every render."""
        scene = self._scene()
        recorder = ShotRecorder(self.folder)
        layer = layer_name(scene)
        shot = describe_shot(scene, self._frames, self._pass_frames, layer)
        with same_images_after(), same_frame_after(scene), Borrowed() as borrowed:
            if not bpy.app.background:
                view = bpy.context.preferences.view
                borrowed.keep(bpy.context.preferences, "is_dirty")
                borrowed.set(view, render_display_type="NONE")  # no window popping up for every frame
            for frame in self._pass_frames:
                self._frame = frame
                scene = self._scene()
                scene.frame_set(frame)
                recorder.record(scene)
                if frame in self._frames and self.folder.holds(SOURCE_PATTERN, frame):
                    yield None
                elif frame in self._frames:
                    with artist_frame(scene, self.folder.writing_path(SOURCE_PATTERN, frame)):
                        yield scene
                    self._finish(SOURCE_PATTERN)
                if self.folder.holds(PASSES_PATTERN, frame):
                    yield None
                    continue
                scene = self._scene()
                with exact_passes(scene, self.folder.writing_path(PASSES_PATTERN, frame), layer):
                    yield scene
                self._finish(PASSES_PATTERN)
        shot = replace(shot, cameras=tuple(recorder.cameras), render_seconds=self._render_seconds)
        self.folder.finish_job(Job(shot, self._settings))
