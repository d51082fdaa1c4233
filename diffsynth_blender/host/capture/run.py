"""Running a capture: render after render, told as it goes, with everything given back at its end.

What is rendered, and in which order, is the generator of a subclass: it prepares the scene for one still render, yields
that scene, and files the result when it is resumed. It yields None where a file was had without a render.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import bpy

from ...protocol import Settings
from .checks import CaptureError
from .folder import CaptureFolder
from .hold import RENDER_SECONDS
from .scene_state import Borrowed, find_block


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


class CaptureRun:
    """A capture of some frames into a job folder; what it does is `_renders`.

    Raises CaptureError or JobBusyError, from the constructor, where the folder is refused; nothing has been rendered or
    changed then.
    """

    def __init__(
        self, scene: bpy.types.Scene, job_dir: Path, frames: range, render_count: int, settings: Settings,
        *, overwrite: bool, go_on: bool = False
    ) -> None:  # fmt: skip
        """Take what was checked, and make the folder ready.

        Args:
            scene: The artist's scene.
            job_dir: Folder to fill; made where there is none.
            frames: Scene frames to stylise, not empty.
            render_count: How many times `_renders` will yield.
            settings: What job.json says about the restyling.
            overwrite: Replace a job that the folder already holds.
            go_on: Keep what the folder holds: it is the beginning of this very shot.
        """
        self.folder = CaptureFolder(job_dir)
        self.folder.prepare(overwrite=overwrite, go_on=go_on, wait_seconds=RENDER_SECONDS)
        self._frames = frames
        self._render_count = render_count
        self._scene_uid = scene.session_uid
        self._settings = settings
        self._cancelled = False
        self._frame = frames[0]
        self._renders_done = 0
        self._render_seconds = 0.0
        self._state = "running"
        self._steps = self._renders()

    @property
    def status(self) -> CaptureStatus:
        """How far it is."""
        return CaptureStatus(self._state, self._frame, self._renders_done, self._render_count)

    def cancel(self) -> None:
        """Stop after the render that is running; the scene is then restored."""
        self._cancelled = True

    def run_blocking(self) -> Iterator[CaptureStatus]:
        """Capture from start to end, yielding the status after every render. Leaving the loop cancels."""
        try:
            while self._advance():
                yield self.status
        finally:
            self.close()

    def close(self) -> None:
        """End the capture now and restore the scene. Does nothing at its end; no render may be running."""
        if self._state == "running":
            self._end("cancelled")

    def _renders(self) -> Iterator[bpy.types.Scene | None]:
        """Everything in order; suspended at every render."""
        raise NotImplementedError

    def _advance(self) -> bool:
        """File the last render, prepare the next and do it; False at the end."""
        if self._state != "running":
            return False
        if self._cancelled:
            self._end("cancelled")
            return False
        try:
            prepared = next(self._steps)
            if prepared is not None:
                started = perf_counter()
                self._render(prepared)
                self._render_seconds += perf_counter() - started
        except StopIteration:
            self._state = "done"
            self.folder.release()
            return False
        except BaseException:
            self._end("failed")
            raise
        self._renders_done += 1
        return True

    def _end(self, state: str) -> None:
        self._state = state
        self._steps.close()  # leaves every `with` of the generator: this is what restores the scene
        self.folder.drop_unfinished()
        self.folder.release()

    def _render(self, scene: bpy.types.Scene) -> None:
        try:
            windows = bpy.context.window_manager.windows
            window = bpy.context.window or (windows[0] if windows else None)
            shown = window.scene if window else bpy.context.scene
            # Blender renders the scene it is told at the frame of the one that is shown.
            with bpy.context.temp_override(window=window), Borrowed() as borrowed:
                if shown != scene:
                    borrowed.set(shown, frame_current=self._frame)
                outcome = bpy.ops.render.render(write_still=True, scene=scene.name)
        except RuntimeError as error:  # what an operator reports as an error
            reason = str(error).removeprefix("Error: ").strip().splitlines()[0]
            raise CaptureError(f"Frame {self._frame} could not be rendered: {reason}") from error
        if outcome == {"CANCELLED"}:
            self._cancelled = True

    def _scene(self) -> bpy.types.Scene:
        scene = find_block(bpy.data.scenes, self._scene_uid)
        if scene is None:
            raise CaptureError("The scene was deleted during the capture: start again with another one.")
        return scene

    def _finish(self, pattern: str) -> None:
        """Give the file that the last render wrote its name. Raises CaptureError where there is none."""
        if not self.folder.finish(pattern, self._frame):
            raise CaptureError(
                f"The render of frame {self._frame} was cancelled, or {self.folder.path} could not be written: "
                "look for Blender's own message and start again."
            )
