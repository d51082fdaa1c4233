"""What runs while the artist goes on working: renders first, then a job of the worker, then its result as a strip.

The same work as `api.py` does, in steps that never wait. `pump.py` drives it with a timer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ..client import WorkerSession
from ..protocol import DiffSynthError, Event, JobCancelled, JobDone, JobFailed, JobNote, JobProgress
from . import api
from .capture import CaptureStatus
from .capture_checks import CaptureError

STAGE_NAMES = {
    "load": "Loading the model",
    "passes": "Reading passes",
    "motion": "Finding motion",
    "noise": "Anchoring noise",
    "baseline": "Independent frames",
    "denoise": "Denoising",
    "write": "Writing frames",
    "repair": "Restyling what key frames hide",
    "redo": "Restyling again",
    "check": "Reading frames",
    "deflicker": "Making frames steady",
    "measure": "Measuring",
}


@dataclass(frozen=True)
class Progress:
    """What the panel shows of a job."""

    text: str
    factor: float
    """Of the stage that runs, 0 to 1."""
    seconds_left: float | None = None
    """Estimated time to the end of the stage [s]; None while unknown."""


class Preparation(Protocol):
    """What has to be rendered or fetched before the worker can start."""

    def tick(self) -> CaptureStatus:
        """Do what can be done without waiting. Raises CaptureError when it failed."""

    def cancel(self) -> None:
        """Stop at the next moment; a later tick tells when it has."""

    def close(self) -> None:
        """End it now."""


class Work:
    """One job on its way: preparations, worker, result."""

    title = ""
    """Of what is being done, for buttons that have to wait for it."""
    resume_hint = ""
    """How to go on after a cancel."""

    def __init__(self, preparations: list[Callable[[], Preparation]]) -> None:
        """Begin with the first preparation; each next one is begun when the one before is done."""
        self.state = "running"  # then "done", "cancelled" or "failed"
        self.message = ""  # why it ended
        self.details = ""  # the worker's traceback, for bug reports
        self.notes: list[str] = []  # what the worker found worth telling
        self.progress = Progress("Starting", 0.0)
        self._preparations = preparations
        self._preparation: Preparation | None = None
        self._started_at = time.monotonic()
        self._session: WorkerSession | None = None
        self._closing: threading.Thread | None = None
        self._job_id = ""
        self._cancel_count = 0
        self._prepare_next()

    def tick(self) -> None:
        """Do what can be done without waiting."""
        try:
            if self.state != "running":
                return
            if self._preparation is not None:
                self._tick_preparation(self._preparation)
            elif self._session is None:
                self._start_worker()
            else:
                for event in self._session.poll():
                    self._take(event)
        except (CaptureError, DiffSynthError) as error:
            self._end("failed", str(error))

    def run_blocking(self) -> None:
        """Tick until the end, for the background, where timers never fire."""
        while self.state == "running":
            self.tick()
            time.sleep(api.POLL_SECONDS)

    def cancel(self) -> None:
        """Ask to stop at the next step; asked twice, the worker is ended at once."""
        self._cancel_count += 1
        if self._preparation is not None:
            self._preparation.cancel()
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
            if self._preparation is not None:
                self._preparation.close()
            self._end("cancelled", message)
        if self._closing is not None:
            self._closing.join()

    def submit(self, session: WorkerSession) -> str:
        """Ask the worker for the job and return its id."""
        raise NotImplementedError

    def finish(self) -> str:
        """Bring the result into the file, and return the sentence that tells of it."""
        raise NotImplementedError

    def _prepare_next(self) -> None:
        self._preparation = self._preparations.pop(0)() if self._preparations else None
        self._started_at = time.monotonic()

    def _tick_preparation(self, preparation: Preparation) -> None:
        status = preparation.tick()
        done, count = status.renders_done, status.render_count
        if status.state == "running":
            elapsed = time.monotonic() - self._started_at
            left = elapsed / done * (count - done) if done else None
            if not self._cancel_count:
                self.progress = Progress(f"Rendering frame {status.frame}", done / count, left)
            return
        self._preparation = None
        if status.state != "done":
            self._end("cancelled", "Cancelled during the render")
            return
        self.progress = Progress("Starting the worker", 0.0)
        self._prepare_next()

    def _start_worker(self) -> None:
        self._session = api.new_session()
        self._job_id = self.submit(self._session)
        self.progress = Progress("Starting the worker", 0.0)

    def _take(self, event: Event) -> None:
        if isinstance(event, JobProgress) and not self._cancel_count:
            name = STAGE_NAMES[event.stage]
            self.progress = Progress(
                f"{name} {event.step}/{event.step_count}", event.step / event.step_count, event.seconds_left
            )
        elif isinstance(event, JobNote):
            self.notes.append(event.text)
        elif isinstance(event, JobDone):
            self._end("done", self.finish())
        elif isinstance(event, JobCancelled):
            self._end("cancelled", f"Cancelled; {self.resume_hint}")
        elif isinstance(event, JobFailed):
            self.details = event.traceback
            self._end("failed", event.message)

    def _end(self, state: str, message: str) -> None:
        self.state, self.message = state, message
        if self._session is not None:
            # Not here: a worker with torch takes a moment to end, and the interface would wait for it.
            self._closing = threading.Thread(target=self._session.close, name="DiffSynth worker's end")
            self._closing.start()
