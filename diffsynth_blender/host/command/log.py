"""What a command says: lines for people on stderr; with --json also one object a line on stdout, for programs.

The objects are the events of `protocol/messages.py` as `worker run --json` writes them (`job_id` is empty: there is one
job), with a stage "render" before the worker's own, and the two below. The last one is JobDone, JobCancelled or
JobFailed, once. docs/pipeline.md tells all of it to those who write programs.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from ...protocol import BadJobError, Event, FrameDone, JobDone, JobFailed, JobNote, JobProgress
from ...protocol.errors import INTERNAL_EXIT_CODE, INTERNAL_KIND, DiffSynthError, JobCancelledError
from ...protocol.messages import RENDER_STAGE, JobCancelled, encode_message
from ..capture.checks import CaptureError

PROGRAM = "diffsynth"
PROGRESS_SECONDS = 2.0  # between two progress lines: readable in a farm's log


@dataclass(frozen=True)
class FileWritten:
    """A file beside the frames is complete on disk."""

    kind: str
    """"blend" or "movie"."""
    path: str
    """Absolute path."""


@dataclass(frozen=True)
class JobStatus:
    """What a job folder holds."""

    job_dir: str
    """Absolute path of the job folder."""
    shot: str
    """Name of the shot: of its scene."""
    width: int
    """Of the rendered frames [px]."""
    height: int
    """Of the rendered frames [px]."""
    prompt: str
    """Of the whole shot."""
    frames: tuple[int, ...]
    """Scene frames of the shot."""
    finished: tuple[int, ...]
    """Those whose result is on disk as it was made."""
    step: int
    """Denoising steps that are finished; `step_count` where all frames are."""
    step_count: int
    """Denoising steps of the job."""
    is_done: bool
    """Whether the last run of the job ended well, and every result is still there."""
    is_running: bool
    """Whether a worker of this machine is at the job now."""


class CommandLog:
    """Both channels of one command."""

    def __init__(self, json_out: IO[bytes] | None, cancelled: threading.Event) -> None:
        """Speak on stderr, and on `json_out` where given; `cancelled` is set when nobody listens there any more."""
        self._json_out = json_out
        self._cancelled = cancelled
        self._stage = ""
        self._shown_at = 0.0

    def write_events_to(self, json_out: IO[bytes] | None) -> None:
        """Tell programs there from now on; None for nowhere."""
        self._json_out = json_out

    def event(self, event: Event | FileWritten | JobStatus) -> None:
        """Tell of an event of the worker or of ours."""
        self._write(replace(event, job_id="") if hasattr(event, "job_id") else event)
        if isinstance(event, FrameDone):
            say(f"frame {event.frame}: {event.path}")
        elif isinstance(event, JobNote):
            say(event.text)
        elif isinstance(event, FileWritten):
            say(f"{event.kind}: {event.path}")
        elif isinstance(event, JobProgress):
            self._progress(event)

    def note(self, text: str) -> None:
        """Tell something worth knowing."""
        self.event(JobNote("", text))

    def rendered(self, done: int, count: int, frame: int) -> None:
        """Tell of a finished render. These lines are never thinned out: capture/child.py reads them."""
        self._write(JobProgress("", RENDER_STAGE, done, count, frame))
        say(f"{RENDER_STAGE} {done}/{count}, frame {frame}")

    def watch(self, action: Callable[[], Path | None]) -> int:
        """Do something, and tell how it ended; returns the exit code. The action returns the folder it is about."""
        try:
            folder = action()
        except CaptureError as error:
            return self._failed(BadJobError(str(error)))
        except (DiffSynthError, KeyboardInterrupt) as error:
            return self._failed(error, "\n".join(getattr(error, "__notes__", ())))
        except Exception as error:
            # Whatever else happens is a bug, and programs that read our lines have to learn of the end all the same.
            return self._failed(error, traceback.format_exc())
        self._write(JobDone("", str(folder or "")))
        return 0

    def _failed(self, error: BaseException, details: str = "") -> int:
        known = isinstance(error, DiffSynthError)
        if isinstance(error, KeyboardInterrupt) or (known and error.exit_code == JobCancelledError.exit_code):
            self._write(JobCancelled(""))
            say(str(error) or "cancelled; the same command again goes on where it stopped")
            return JobCancelledError.exit_code
        kind, code = (error.kind, error.exit_code) if known else (INTERNAL_KIND, INTERNAL_EXIT_CODE)
        message = str(error) if known else f"{type(error).__name__}: {error}; this is a bug"
        if kind == INTERNAL_KIND and details:
            print(details.rstrip(), file=sys.stderr)
        self._write(JobFailed("", kind, message, details))
        say(f"error: {message}")
        return code

    def _progress(self, event: JobProgress) -> None:
        now = time.monotonic()
        if event.stage != self._stage or now - self._shown_at >= PROGRESS_SECONDS:
            self._stage, self._shown_at = event.stage, now
            say(progress_text(event.stage, event.step, event.step_count, event.seconds_left))

    def _write(self, line: object) -> None:
        if self._json_out is None:
            return
        try:
            self._json_out.write(json.dumps(encode_message(line), allow_nan=False).encode() + b"\n")
            self._json_out.flush()
        except BrokenPipeError:
            self._json_out = None
            self._cancelled.set()  # as after Ctrl-C in a pipeline


def say(text: str) -> None:
    """One line for people."""
    print(f"{PROGRAM}: {text}", file=sys.stderr, flush=True)


def progress_text(stage: str, step: int, step_count: int, seconds_left: float | None) -> str:
    """Progress for people, such as "denoise 5/20, 1:20 left"."""
    text = f"{stage} {step}/{step_count}"
    if not seconds_left:
        return text
    minutes, seconds = divmod(round(seconds_left), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{text}, {hours}:{minutes:02d}:{seconds:02d} left" if hours else f"{text}, {minutes}:{seconds:02d} left"


@contextmanager
def stdout_of_our_own() -> Iterator[IO[bytes]]:
    """The real stdout; whatever else writes there meanwhile, such as Blender's render log, goes to stderr."""
    _flush()
    ours = os.dup(1)
    os.dup2(2, 1)
    try:
        # Python's own stream as well: whoever calls from a script may have put another one in its place.
        with os.fdopen(os.dup(ours), "wb") as out, redirect_stdout(sys.stderr):
            yield out
    finally:
        _flush()
        os.dup2(ours, 1)
        os.close(ours)


def _flush() -> None:
    """Have written what Python and Blender still hold back, while it goes where it belongs."""
    sys.stdout.flush()
    if os.name == "posix":  # on Windows Blender's C library is not to be had from here: a rest may follow our last line
        ctypes.CDLL(None).fflush(None)
