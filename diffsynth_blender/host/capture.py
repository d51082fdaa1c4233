"""Capture: render a shot into a job folder, frame by frame, and leave the scene as it was.

One generator knows the order of things (`Capture._renders`): it prepares the scene for one still render, yields, and
files the result when it is resumed. Between two renders the scene is as the artist left it, but for the current frame.
The interface runs this in a second Blender (child.py): renders started one by one from a timer were seen to crash the
artist's own.

Knows nothing of diffusion; what the passes are is in capture_passes.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import bpy

from ..protocol import Camera, Job, Settings, save_job
from ..protocol.objects import save_objects
from ..protocol.shot import Matrix
from .cameras import record_camera
from .capture_checks import CaptureError, check_camera, check_camera_motion, check_scene
from .capture_folder import OBJECTS_PATTERN, PASSES_PATTERN, SOURCE_PATTERN, CaptureFolder
from .capture_frame import artist_frame
from .capture_objects import ObjectRecorder
from .capture_passes import exact_passes, layer_name
from .capture_shot import describe_shot
from .scene_state import Borrowed, find_block, same_frame_after, same_images_after


@dataclass(frozen=True)
class CaptureStatus:
    """How far a capture is."""

    state: str
    """"running", or the end: "done", "cancelled", "failed"."""
    frame: int
    """Scene frame being rendered, or rendered last."""
    renders_done: int
    """Still renders finished; a stylised frame takes two, a frame in between one."""
    render_count: int
    """Still renders of the whole capture."""


class Capture:
    """Renders the frames of a scene and their exact passes into a job folder.

    Args:
        scene: The artist's scene.
        job_dir: Folder to fill; made where there is none.
        settings: What job.json says about the restyling.
        frame_start: First scene frame; the scene's own by default, as for the next two.
        frame_end: Last scene frame.
        frame_step: Stylise every how many-th frame; passes are rendered for all frames in between as well.
        overwrite: Replace a job that the folder already holds.

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
    ) -> None:
        start = scene.frame_start if frame_start is None else frame_start
        end = scene.frame_end if frame_end is None else frame_end
        step = scene.frame_step if frame_step is None else frame_step
        self._frames = range(start, end + 1, step) if step > 0 else range(0)
        check_scene(scene, self._frames)
        self.folder = CaptureFolder(job_dir)
        self.folder.prepare(overwrite=overwrite)
        self._pass_frames = range(self._frames[0], self._frames[-1] + 1)
        self._scene_uid = scene.session_uid
        self._settings = settings
        self._cancelled = False
        self._frame = self._frames[0]
        self._renders_done = 0
        self._render_seconds = 0.0
        self._render_started = 0.0
        self._state = "running"
        self._steps = self._renders()

    @property
    def status(self) -> CaptureStatus:
        """How far it is."""
        return CaptureStatus(self._state, self._frame, self._renders_done, len(self._frames) + len(self._pass_frames))

    def cancel(self) -> None:
        """Stop after the render that is running; the scene is then restored."""
        self._cancelled = True

    def run_blocking(self) -> Iterator[CaptureStatus]:
        """Capture from start to end, yielding the status after every render. Leaving the loop cancels."""
        try:
            while self._advance():
                self._render()
                self._count_render()
                yield self.status
        finally:
            self.close()

    def close(self) -> None:
        """End the capture now and restore the scene. Does nothing at its end; no render may be running."""
        if self._state == "running":
            self._end("cancelled")

    def _advance(self) -> bool:
        """File the last render and prepare the next; False at the end."""
        if self._state != "running":
            return False
        if self._cancelled:
            self._end("cancelled")
            return False
        try:
            next(self._steps)
        except StopIteration:
            self._state = "done"
            return False
        except BaseException:
            self._end("failed")
            raise
        return True

    def _end(self, state: str) -> None:
        self._state = state
        self._steps.close()  # leaves every `with` of the generator: this is what restores the scene
        self.folder.drop_unfinished()

    def _count_render(self) -> None:
        self._renders_done += 1
        self._render_seconds += perf_counter() - self._render_started

    def _render(self) -> None:
        self._render_started = perf_counter()
        try:
            windows = bpy.context.window_manager.windows
            window = bpy.context.window or (windows[0] if windows else None)
            shown = window.scene if window else bpy.context.scene
            # Blender renders the scene it is told at the frame of the one that is shown.
            with bpy.context.temp_override(window=window), Borrowed() as borrowed:
                if shown != self._scene():
                    borrowed.set(shown, frame_current=self._frame)
                outcome = bpy.ops.render.render(write_still=True, scene=self._scene().name)
        except BaseException as error:
            self._end("failed")
            if isinstance(error, RuntimeError):  # what an operator reports as an error
                reason = str(error).removeprefix("Error: ").strip().splitlines()[0]
                raise CaptureError(f"Frame {self._frame} could not be rendered: {reason}") from error
            raise
        if outcome == {"CANCELLED"}:
            self._cancelled = True

    def _scene(self) -> bpy.types.Scene:
        scene = find_block(bpy.data.scenes, self._scene_uid)
        if scene is None:
            raise CaptureError("The scene was deleted during the capture: start again with another one.")
        return scene

    def _renders(self) -> Iterator[None]:
        """Everything in order; suspended at every render."""
        cameras: list[Camera] = []
        objects = ObjectRecorder()
        seen_through = 0  # session_uid of the last frame's camera
        scene = self._scene()
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
                check_camera(scene.camera)
                cameras.append(record_camera(scene))
                if scene.camera.session_uid == seen_through:
                    check_camera_motion(scene.render.engine, scene.camera, *cameras[-2:])
                seen_through = scene.camera.session_uid
                self._save_objects(objects.record(scene))
                if frame in self._frames:
                    with artist_frame(scene, self.folder.writing_path(SOURCE_PATTERN, frame)):
                        yield
                    self._finish(SOURCE_PATTERN)
                scene = self._scene()
                with exact_passes(scene, self.folder.writing_path(PASSES_PATTERN, frame), layer):
                    yield
                self._finish(PASSES_PATTERN)
        shot = replace(shot, cameras=tuple(cameras), render_seconds=self._render_seconds)
        save_job(Job(shot, self._settings), self.folder.path)

    def _save_objects(self, matrices: dict[int, Matrix]) -> None:
        path = self.folder.final_path(OBJECTS_PATTERN, self._frame)
        try:
            save_objects(matrices, path)
        except OSError as error:
            raise CaptureError(f"{path} could not be written: {error.strerror}; make room and start again.") from error

    def _finish(self, pattern: str) -> None:
        if not self.folder.finish(pattern, self._frame):
            raise CaptureError(
                f"The render of frame {self._frame} was cancelled, or {self.folder.path} could not be written: "
                "look for Blender's own message and start again."
            )
