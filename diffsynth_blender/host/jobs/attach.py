"""A job that goes on without Blender, followed again: by the file that was opened anew, until its end and its strip."""

from __future__ import annotations

import bpy
from bpy.app.handlers import persistent

from ...client import DetachedWorker
from ...protocol import JOB_FILE
from . import history, pump
from .job_work import JobWork
from .record import JobRecord
from .session import Session


class Attachment(JobWork):
    """The job of a worker that is detached, or of a second Blender that renders for it.

    It may have come to its end meanwhile, and then ends here at once, with its strip. Paused, it goes on as any other.
    """

    def __init__(self, scene: bpy.types.Scene, record: JobRecord) -> None:
        self._follows = True  # what others do, for as long as they do it
        super().__init__(scene, record.job_dir, [], record)

    def connect(self) -> Session:
        return DetachedWorker(self.job_dir) if self._follows else super().connect()

    def submit(self, session: Session) -> str:
        return "" if self._follows else super().submit(session)

    def why_no_pause(self) -> str:
        if self._follows and not (self.job_dir / JOB_FILE).is_file():
            return "A render that goes on by itself cannot be held; wait for its end, or cancel it"
        return ""

    def detach(self) -> bool:
        """Let it go on as it does."""
        if not self._follows:
            return super().detach()
        if self.state != "running":
            return False
        self._session = None
        self._end("detached", "It goes on without Blender")
        return True

    def _pause(self) -> None:
        super()._pause()
        self._follows = False


def reconnect() -> None:
    """Follow a job that goes on without Blender, or finish one that has ended well since; tell how others ended."""
    found = history.check_after_load()
    if found and not pump.is_running():
        pump.start(Attachment(*found[0]))


@persistent
def _on_loaded(*_: object) -> None:
    # In the background nobody follows: timers never fire there, and scripts ask for what they want.
    if not bpy.app.background:
        reconnect()


def register() -> None:
    """Look for jobs of each file that is opened."""
    bpy.app.handlers.load_post.append(_on_loaded)


def unregister() -> None:
    """Look no more."""
    bpy.app.handlers.load_post.remove(_on_loaded)
