"""What runs while the artist goes on working: renders first, then a job of the worker, then its result as a strip.

The same work as `api.py` does, in steps that never wait. `pump.py` drives it with a timer.

Pausing frees everything: the worker stops after its step, keeps it on disk and ends, and resuming goes on from there in
a new worker, to the same bits. A render waits before its next frame and keeps its memory, since it could not go on.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from ...protocol import DiffSynthError, Event, JobCancelled, JobDone, JobFailed, JobNote, JobProgress
from ...protocol.errors import INTERNAL_KIND
from ..capture.checks import CaptureError
from .memory import FreedMemory
from .preparations import Preparation, Preparations
from .progress import STAGE_NAMES, Progress, worker_progress
from .session import Session
from .worker_job import POLL_SECONDS, new_session

__all__ = ["CAPTURE_KIND", "STAGE_NAMES", "Preparation", "Progress", "Work"]

CAPTURE_KIND = "capture"
"""What the worker's kinds of errors have none of: the shot could not be rendered."""


class Work:
    """One job on its way: preparations, worker, result."""

    title = ""
    """Of what is being done, for buttons that have to wait for it."""
    resume_hint = ""
    """How to go on after a cancel."""
    scene_uid = 0
    """Of the scene whose work it is."""
    job_dir: Path | None = None
    """The job folder; None where the work has none."""

    def __init__(self, preparations: list[Callable[[], Preparation]]) -> None:
        """Begin with the first preparation; each next one is begun when the one before is done."""
        self.state = "running"  # or "paused", then "done", "cancelled", "failed" or "detached"
        self.message = ""  # why it ended
        self.kind = ""  # of the error it ended with, for its remedies
        self.details = ""  # the worker's traceback, for bug reports
        self.notes: list[str] = []  # what the worker found worth telling
        self.progress = Progress("Starting", 0.0)
        self.frees_memory = True  # of the graphics card, for the worker
        self._preparations = Preparations(preparations)
        self._session: Session | None = None
        self._closing: threading.Thread | None = None
        self._freed: FreedMemory | None = None
        self._job_id = ""
        self._cancel_count = 0
        self._is_pausing = False

    @property
    def is_over(self) -> bool:
        """Whether it will do nothing more by itself."""
        return self.state not in ("running", "paused")

    @property
    def is_held(self) -> bool:
        """Whether it is paused in a render, which waits in memory and keeps everything else waiting."""
        return self.state == "paused" and not self._preparations.are_done

    def tick(self) -> None:
        """Do what can be done without waiting."""
        try:
            if self.state != "running":
                return
            if not self._preparations.are_done:
                self._prepare()
            elif self._session is None:
                self._start_worker()
            else:
                for event in self._session.poll():
                    self._take(event)
        except CaptureError as error:
            self._fail(CAPTURE_KIND, str(error))
        except DiffSynthError as error:
            self._fail(error.kind, str(error))
        except Exception as error:  # a bug; unsaid, the timer would end and the panel wait forever
            self.details = traceback.format_exc()
            self._fail(INTERNAL_KIND, f"{type(error).__name__}: {error}")

    def run_blocking(self) -> None:
        """Tick until the end, for the background, where timers never fire."""
        while self.state == "running":
            self.tick()
            time.sleep(POLL_SECONDS)
        self.close("")  # the worker is out of memory then

    def cancel(self) -> None:
        """Ask to stop at the next step; asked twice, the worker is ended at once."""
        self._cancel_count += 1
        self._is_pausing = False
        if not self._preparations.are_done:
            self.state = "running"  # a held render ends as a running one does
            self._preparations.cancel()
        elif self._session is None:
            self._end("cancelled", f"Cancelled; {self.resume_hint}")
        elif self._cancel_count == 1:
            self._session.cancel(self._job_id)
        else:
            self._end("cancelled", f"Cancelled at once; {self.resume_hint}")
        self.progress = Progress("Cancelling", self.progress.factor)

    def why_no_pause(self) -> str:
        """Why what runs cannot be paused, or ""."""
        return ""

    def pause(self) -> None:
        """Stop at the next step and free the worker's memory, or hold a render before its next frame."""
        if self.state != "running" or self._cancel_count:
            return
        if self._preparations.can_pause:
            self._preparations.pause()
            self._pause()
            return
        self._is_pausing = True
        if self._session is not None:
            self._session.cancel(self._job_id)
        self.progress = Progress("Pausing", self.progress.factor)

    def resume(self) -> None:
        """Go on where it was paused."""
        if self.state != "paused":
            return
        self.state = "running"
        if not self._preparations.are_done:
            self._preparations.resume()

    def close(self, message: str) -> None:
        """End whatever runs, now, and wait until the worker is gone. What is paused and freed stays so."""
        if self.state == "running" or self.is_held:
            self._preparations.close()
            self._end("cancelled", message)
        if self._closing is not None:
            self._closing.join()

    def detach(self) -> bool:
        """Leave a worker behind that goes on without this Blender. False where that cannot be: then nothing happens."""
        return False

    def submit(self, session: Session) -> str:
        """Ask the worker for the job and return its id."""
        raise NotImplementedError

    def finish(self) -> str:
        """Bring the result into the file, and return the sentence that tells of it."""
        raise NotImplementedError

    def connect(self) -> Session:
        """The worker that the job is asked of. Raises DiffSynthError where there is none."""
        return new_session()

    def _prepare(self) -> None:
        progress = self._preparations.tick()
        if progress is None:
            self._end("cancelled", "Cancelled during the render")
        elif not self._cancel_count and not self._is_pausing:
            self.progress = progress

    def _start_worker(self) -> None:
        if self._is_pausing:
            self._pause()
        elif self._closing is None or not self._closing.is_alive():  # the one before must be out of memory
            self._freed = FreedMemory() if self.frees_memory else None
            self._session = self.connect()
            self._job_id = self.submit(self._session)
            self.progress = Progress("Starting the worker", 0.0)

    def _take(self, event: Event) -> None:
        if isinstance(event, JobProgress) and not self._cancel_count and not self._is_pausing:
            self.progress = worker_progress(event)
        elif isinstance(event, JobNote) and event.text not in self.notes:  # a resumed job says the same again
            self.notes.append(event.text)
        elif isinstance(event, JobDone):
            self._end("done", self.finish())
        elif isinstance(event, JobCancelled):
            if self._is_pausing:
                self._pause()
            else:
                self._end("cancelled", f"Cancelled; {self.resume_hint}")
        elif isinstance(event, JobFailed):
            self.details = event.traceback
            self._fail(event.kind, event.message)

    def _pause(self) -> None:
        self.state, self._is_pausing = "paused", False
        self.progress = Progress("Paused", self.progress.factor)
        self._leave_worker()

    def _fail(self, kind: str, message: str) -> None:
        self.kind = kind
        self._end("failed", message)

    def _end(self, state: str, message: str) -> None:
        self.state, self.message = state, message
        self._leave_worker()

    def _leave_worker(self) -> None:
        if self._session is not None:
            # Not here: a worker with torch takes a moment to end, and the interface would wait for it.
            self._closing = threading.Thread(target=self._session.close, name="DiffSynth worker's end")
            self._closing.start()
            self._session = None
        if self._freed is not None:
            self._freed.give_back()
            self._freed = None
