"""Work on a job folder: the history knows it, it may go on without Blender, and its frames end where they were to."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import bpy

from ...client import start_detached
from ...protocol import BadJobError
from ...protocol.traces import events_path, latest_path
from ..capture.scene_state import find_block
from ..preferences import worker_python
from ..result.place import place_result
from . import history
from .preparations import Preparation
from .record import JobRecord
from .session import Session
from .work import Work
from .worker_job import PACKAGE_ROOT


class JobWork(Work):
    """A job folder on its way through the worker and into the file."""

    title = "A shot is being stylised"
    resume_hint = "Resume goes on where it stopped"

    def __init__(
        self, scene: bpy.types.Scene, job_dir: Path, preparations: list[Callable[[], Preparation]], record: JobRecord
    ) -> None:
        """Begin; `record` is what the history calls it."""
        self.scene_uid = scene.session_uid
        self.job_dir = Path(job_dir)
        self._record = record
        self._python: Path | None = None  # kept: when Blender quits, preferences may be gone already
        self._told_state = ""
        self._seconds_before = record.seconds
        self._since = time.monotonic()
        super().__init__(preparations)
        self.frees_memory = scene.diffsynth.jobs.free_memory

    @property
    def key(self) -> str:
        """What the history knows it by."""
        return self._record.key

    @property
    def scene(self) -> bpy.types.Scene:
        """The shot's scene. Raises BadJobError when it was deleted."""
        scene = find_block(bpy.data.scenes, self.scene_uid)
        if scene is None:
            raise BadJobError(f"the shot's scene was deleted; its results are in {self.job_dir / 'output'}")
        return scene

    @property
    def latest_picture(self) -> Path | None:
        """The newest picture to look at, small: of a frame on its way, or of a finished one."""
        path = latest_path(self.job_dir)
        return path if self._preparations.are_done and path.is_file() else None

    def tell_history(self) -> None:
        """Write into the history what has changed since the last call; called after every step."""
        if self.state == self._told_state:
            return
        self._told_state = self.state
        seconds = self._seconds_before + time.monotonic() - self._since
        self._record = replace(self._record, seconds=seconds)
        self._record = history.note(
            self.scene_uid, self._record, state=self.state.upper(), message=self.message, error_kind=self.kind
        )

    def detach(self) -> bool:
        """Let the render go on by itself, or a worker: the step under way is done again, from the last one on disk."""
        if self.state != "running" or self._cancel_count:
            return False
        if not self._preparations.are_done:
            if self._preparations.leave(self._python or worker_python()):
                self._end("detached", "A second Blender renders on without this one, and stylises")
                return True
            self.tick()  # it has just ended
            if not self._preparations.are_done or self.state != "running":
                return False
        if self._session is not None:
            self._session.close(grace=0.0)
            self._session = None
        start_detached(self._python or worker_python(), PACKAGE_ROOT, self.job_dir)
        self._end("detached", "A worker goes on with it without Blender")
        return True

    def submit(self, session: Session) -> str:
        self._python = self._python or worker_python()
        events_path(self.job_dir).unlink(missing_ok=True)  # of an earlier run, which this one goes beyond
        return session.submit(self.job_dir)

    def finish(self) -> str:
        told = place_result(self.scene, self.job_dir)
        if not bpy.app.background:
            bpy.ops.ed.undo_push(message="Insert Stylised Frames")
        return told
