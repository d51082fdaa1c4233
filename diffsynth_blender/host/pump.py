"""A stylisation in the interface: the same work as `api.py`, in steps that never wait, driven by a timer.

State lives here and not in properties: a running job must be neither saved with the file nor undone. At most one
runs. Loading another file, quitting or disabling the add-on ends it; the job folder keeps what was finished.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path

import bpy
from bpy.app.handlers import persistent

from ..client import WorkerSession
from ..protocol import (
    DiffSynthError,
    Event,
    JobCancelled,
    JobDone,
    JobFailed,
    JobProgress,
    Settings,
)
from . import api
from .capture_checks import CaptureError
from .child import ChildCapture
from .reuse import change_settings, find_captured
from .scene_state import find_block
from .strip import find_edit_scene, insert_strip

TICK_SECONDS = 0.1  # ten steps a second: progress looks smooth, and a tick takes far less

STAGE_NAMES = {
    "load": "Loading the model",
    "passes": "Reading passes",
    "controls": "Preparing controls",
    "motion": "Finding motion",
    "baseline": "Independent frames",
    "denoise": "Denoising",
    "write": "Writing frames",
}


@dataclass(frozen=True)
class Progress:
    """What the panel shows of a stylisation."""

    text: str
    factor: float
    """Of the stage that runs, 0 to 1."""
    seconds_left: float | None = None
    """Estimated time to the end of the stage [s]; None while unknown."""


class Stylisation:
    """One shot on its way: capture, worker, strip.

    Raises CaptureError or DiffSynthError, from the constructor, when the shot is refused; nothing has happened then.
    """

    def __init__(
        self, scene: bpy.types.Scene, job_dir: Path, frames: range, settings: Settings, *, reuse_capture: bool = False
    ) -> None:
        api.check_ready(settings)
        self.state = "running"  # then "done", "cancelled" or "failed"
        self.message = ""  # why it ended
        self.details = ""  # the worker's traceback, for bug reports
        self.progress = Progress("Starting", 0.0)
        self._scene_uid = scene.session_uid
        self._job_dir = job_dir
        self._frames = frames
        self._started_at = time.monotonic()
        self._capture: ChildCapture | None = None
        self._session: WorkerSession | None = None
        self._closing: threading.Thread | None = None
        self._job_id = ""
        self._cancel_count = 0
        if reuse_capture and find_captured(scene, job_dir, frames):
            change_settings(job_dir, settings)
        else:
            self._capture = ChildCapture(scene, job_dir, frames, settings)

    def tick(self) -> None:
        """Do what can be done without waiting."""
        try:
            if self.state != "running":
                return
            if self._capture is not None:
                self._tick_capture(self._capture)
            elif self._session is None:
                self._start_worker()
            else:
                for event in self._session.poll():
                    self._take(event)
        except (CaptureError, DiffSynthError) as error:
            self._end("failed", str(error))

    def cancel(self) -> None:
        """Ask to stop at the next step; asked twice, the worker is ended at once."""
        self._cancel_count += 1
        if self._capture is not None:
            self._capture.cancel()
        elif self._session is None:
            self._end("cancelled", "Cancelled")
        elif self._cancel_count == 1:
            self._session.cancel(self._job_id)
        else:
            self._end("cancelled", "Cancelled at once")
        self.progress = Progress("Cancelling", self.progress.factor)

    def close(self, message: str) -> None:
        """End whatever runs, now, and wait until the worker is gone."""
        if self.state == "running":
            if self._capture is not None:
                self._capture.close()
            self._end("cancelled", message)
        if self._closing is not None:
            self._closing.join()

    def _tick_capture(self, capture: ChildCapture) -> None:
        status = capture.tick()
        done, count = status.renders_done, status.render_count
        if status.state == "running":
            elapsed = time.monotonic() - self._started_at
            left = elapsed / done * (count - done) if done else None
            if not self._cancel_count:
                self.progress = Progress(f"Rendering frame {status.frame}", done / count, left)
            return
        self._capture = None
        if status.state == "done":
            self.progress = Progress("Starting the worker", 0.0)
        else:
            self._end("cancelled", "Cancelled during the render")

    def _start_worker(self) -> None:
        self._session = api.new_session()
        self._job_id = self._session.submit(self._job_dir)
        self.progress = Progress("Starting the worker", 0.0)

    def _take(self, event: Event) -> None:
        if isinstance(event, JobProgress) and not self._cancel_count:
            name = STAGE_NAMES[event.stage]
            self.progress = Progress(
                f"{name} {event.step}/{event.step_count}", event.step / event.step_count, event.seconds_left
            )
        elif isinstance(event, JobDone):
            self._insert_strip()
        elif isinstance(event, JobCancelled):
            self._end("cancelled", "Cancelled; Stylise with Reuse Rendered Frames goes on where it stopped")
        elif isinstance(event, JobFailed):
            self.details = event.traceback
            self._end("failed", event.message)

    def _insert_strip(self) -> None:
        scene = find_block(bpy.data.scenes, self._scene_uid)
        if scene is None:
            self._end("failed", f"the shot's scene was deleted; its results are in {self._job_dir / 'output'}")
            return
        insert_strip(scene, self._job_dir)
        if not bpy.app.background:
            bpy.ops.ed.undo_push(message="Insert Stylised Strip")
        self._end("done", f"{len(self._frames)} frames in the scene {find_edit_scene(scene).name!r}")

    def _end(self, state: str, message: str) -> None:
        self.state, self.message = state, message
        if self._session is not None:
            # Not here: a worker with torch takes a moment to end, and the interface would wait for it.
            self._closing = threading.Thread(target=self._session.close, name="DiffSynth worker's end")
            self._closing.start()


class _Pump:
    """The stylisation that runs, or the last one that ran."""

    current: Stylisation | None = None


def current() -> Stylisation | None:
    """The stylisation that runs, or the last one of this Blender session for the panel to tell its end."""
    return _Pump.current


def is_running() -> bool:
    """Whether a stylisation is under way."""
    return _Pump.current is not None and _Pump.current.state == "running"


def start(stylisation: Stylisation) -> None:
    """Drive a stylisation from now on. Raises RuntimeError when another one is under way."""
    if is_running():
        raise RuntimeError("a stylisation is under way; wait for it, or cancel it")
    _Pump.current = stylisation
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick)


def stop(message: str) -> None:
    """End what runs, and the timer."""
    if _Pump.current is not None:
        _Pump.current.close(message)
        _redraw(_Pump.current)
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)


def _tick() -> float | None:
    """The timer: one step, and the interval to the next one or None at the end."""
    if _Pump.current is None:
        return None
    before = (_Pump.current.progress, _Pump.current.state)
    _Pump.current.tick()
    if before != (_Pump.current.progress, _Pump.current.state):
        _redraw(_Pump.current)
    return TICK_SECONDS if is_running() else None


def _redraw(stylisation: Stylisation) -> None:
    """Show progress in the panel, and in the status bar for whoever has closed the panel."""
    text = f"DiffSynth: {stylisation.progress.text}" if stylisation.state == "running" else None
    for window in bpy.context.window_manager.windows:
        window.workspace.status_text_set(text)
        for area in window.screen.areas:
            if area.type in {"PROPERTIES", "SEQUENCE_EDITOR"}:
                area.tag_redraw()


@persistent
def _on_load(*_: object) -> None:
    stop("Ended, because another file was loaded")
    _Pump.current = None


def register() -> None:
    """Be told when another file is loaded."""
    bpy.app.handlers.load_pre.append(_on_load)


def unregister() -> None:
    """End everything; also called by Blender when it quits."""
    bpy.app.handlers.load_pre.remove(_on_load)
    stop("Ended, because the add-on was disabled")
    _Pump.current = None
