"""Jobs over one worker process: submit, poll, cancel. Nothing here waits, except `close`.

Whatever happens to the worker, each submitted job ends with exactly one terminal event.
"""

import itertools
import time
from collections.abc import Callable
from pathlib import Path

from .. import __version__
from ..protocol.deflicker import DEFAULT_MODE, DEFAULT_WINDOW
from ..protocol.errors import ProtocolError, WorkerDiedError
from ..protocol.messages import (
    JOB_EVENTS,
    PROTOCOL_VERSION,
    TERMINAL_EVENTS,
    CancelJob,
    DeflickerFrames,
    Event,
    Hello,
    JobFailed,
    JobRequest,
    Ready,
    RunJob,
)
from ..protocol.texts import one_line
from .process import Received, WorkerProcess

MESSAGE_LIMIT = 1_000  # characters
HELLO_SECONDS = 30.0  # the answer takes a fraction of a second; a cold disk on a loaded machine has taken several


class WorkerSession:
    """A conversation with one worker. It stays useful after a job failed, not after the worker died."""

    def __init__(self, process: WorkerProcess, *, hello_seconds: float = HELLO_SECONDS) -> None:
        """Start the process and greet it, without waiting for the answer.

        Raises `WorkerDiedError` where the interpreter cannot be started.
        """
        self.process = process
        """For its pid and its stderr; what it sends is this session's to receive."""
        self._job_numbers = itertools.count(1)
        self._open_jobs: list[str] = []
        self._ready: Ready | None = None
        self._failure: JobFailed | None = None  # why the session is over; job_id is filled in for each job
        self._hello_deadline = time.monotonic() + hello_seconds
        self._hello_seconds = hello_seconds
        process.start()
        process.send(Hello(PROTOCOL_VERSION, __version__))

    @property
    def ready(self) -> Ready | None:
        """The worker's answer to the greeting; None until it has come."""
        return self._ready

    @property
    def is_over(self) -> bool:
        """Whether this worker takes no more jobs; known after `poll`."""
        return self._failure is not None

    def submit(self, job_dir: Path, frames: tuple[int, int] | None = None) -> str:
        """Ask for a job folder to be run or resumed; `frames` are the first and last scene frame, None for all.

        Returns the job's id, which its events carry. Raises `WorkerDiedError` where the session is over.
        """
        return self._send(lambda job_id: RunJob(job_id, str(Path(job_dir).absolute()), frames))

    def submit_deflicker(
        self,
        style_dir: Path,
        output_dir: Path,
        *,
        guide_dir: Path | None = None,
        job_dir: Path | None = None,
        mode: str = DEFAULT_MODE,
        window: int = DEFAULT_WINDOW,
        device: str = "auto",
    ) -> str:
        """Ask for the frames of a folder to be made steady; the arguments are those of `DeflickerFrames`.

        Returns the job's id, which its events carry. Raises `WorkerDiedError` where the session is over.
        """

        def path(folder: Path | None) -> str | None:
            return None if folder is None else str(Path(folder).absolute())

        return self._send(
            lambda job_id: DeflickerFrames(
                job_id,
                str(Path(style_dir).absolute()),
                str(Path(output_dir).absolute()),
                path(guide_dir),
                path(job_dir),
                mode,
                window,
                device,
            )
        )

    def cancel(self, job_id: str) -> None:
        """Ask for a job to stop at its next step; its terminal event tells when it has. Harmless for an ended job."""
        if self._failure is None:
            self.process.send(CancelJob(job_id))

    def poll(self) -> list[Event]:
        """The events that have come since the last call; never waits."""
        is_alive = self.process.is_alive()  # asked first: what a worker wrote before it ended is then received below
        events: list[Event] = []
        for received in self.process.received():
            if self._failure is None:
                self._take(received, events)
        if self._failure is None and not is_alive:
            self._fail(WorkerDiedError.kind, f"the worker process ended ({self.process.exit_reason()})")
        if self._failure is None and self._ready is None and time.monotonic() > self._hello_deadline:
            self._fail(WorkerDiedError.kind, f"the worker did not answer within {self._hello_seconds:g} s")
        if self._failure is not None:
            events += [
                JobFailed(job_id, self._failure.kind, self._failure.message, self._failure.traceback)
                for job_id in self._open_jobs
            ]
            self._open_jobs.clear()
        return events

    def close(self, grace: float = 2.0) -> None:
        """End the worker; a running job is cancelled. Waits at most about `grace` [s], then kills."""
        if self._failure is None:
            self._failure = JobFailed("", WorkerDiedError.kind, "the session was closed", "")
        self.process.terminate(grace)

    def __enter__(self) -> "WorkerSession":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, request_for: Callable[[str], JobRequest]) -> str:
        """Send the request for a new job's id, and return the id."""
        if self._failure is not None:
            raise WorkerDiedError(f"{self._failure.message}; start a new worker")
        job_id = f"job-{next(self._job_numbers)}"
        self._open_jobs.append(job_id)
        self.process.send(request_for(job_id))
        return job_id

    def _take(self, received: Received, events: list[Event]) -> None:
        try:
            event = self._checked(received)
        except ProtocolError as error:
            self._fail(error.kind, str(error))
            return
        if isinstance(event, Ready):
            self._ready = event
            return
        if isinstance(event, TERMINAL_EVENTS):
            self._open_jobs.remove(event.job_id)
        events.append(event)

    def _checked(self, received: Received) -> Event:
        """What was received, if it may come now. Raises `ProtocolError`."""
        if isinstance(received, ProtocolError):
            raise received
        if isinstance(received, Ready):
            if received.protocol_version != PROTOCOL_VERSION:
                raise ProtocolError(
                    f"the worker speaks protocol version {received.protocol_version} (DiffSynth "
                    f"{received.worker_version}), this host version {PROTOCOL_VERSION} (DiffSynth {__version__}); "
                    "install the same version for both"
                )
            return received
        if self._ready is None or not isinstance(received, (*JOB_EVENTS, *TERMINAL_EVENTS)):
            raise ProtocolError(f"{type(received).__name__} is not an event at this point")
        if received.job_id not in self._open_jobs:
            raise ProtocolError(f"{type(received).__name__} for {received.job_id!r}, which is not an open job")
        return received

    def _fail(self, kind: str, message: str) -> None:
        """End the session and the process."""
        self.process.terminate(grace=0.0)  # killing takes milliseconds, and completes stderr
        lines = self.process.stderr_lines
        last = next((line for line in reversed(lines) if line.strip()), "")
        if kind == WorkerDiedError.kind and last:
            message = f"{message}; its last words: {last}"  # which usually name the cause
        self._failure = JobFailed("", kind, one_line(message, MESSAGE_LIMIT), "\n".join(lines))
