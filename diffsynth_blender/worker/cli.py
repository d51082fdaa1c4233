"""`run` and `deflicker`: one job from the command line, without a host. For people, scripts and render farms.

Exit codes: 0 done, 1 a bug or a disk that cannot be written, 2 bad job, 3 model, device or package missing,
4 out of memory, 130 cancelled.
"""

import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, TextIO

from ..protocol.changes import change_settings
from ..protocol.errors import INTERNAL_KIND, BadJobError, JobCancelledError
from ..protocol.event_file import open_event_file
from ..protocol.framing import encode_line
from ..protocol.job import Job, with_redo
from ..protocol.job_folder import check_folder
from ..protocol.messages import (
    DeflickerFrames,
    Event,
    FrameDone,
    JobCancelled,
    JobDone,
    JobFailed,
    JobNote,
    JobProgress,
)
from ..protocol.texts import one_line
from .failure import MESSAGE_LIMIT, describe_failure
from .launch import FrameRange, RunJobFunction, run_deflicker, run_job
from .progress import ProgressFilter

TTY_SECONDS, LOG_SECONDS = 0.1, 2.0  # between two progress lines: one overwrites the other, or adds to a log


def run(
    job_dir: Path,
    *,
    frames: FrameRange | None = None,
    events_out: IO[bytes] | None = None,
    events_file: Path | None = None,
    progress_out: TextIO = sys.stderr,
    run_job: RunJobFunction = run_job,
) -> int:
    """Run or resume a job folder and return the exit code.

    Args:
        job_dir: The job folder.
        frames: First and last scene frame, or None for all.
        events_out: Where every event goes as a JSON line; None for nowhere.
        events_file: The same as a file of its own, which is locked until the process ends.
        progress_out: Where people read.
        run_job: What runs the job.
    """
    job_dir = Path(job_dir).absolute()
    if events_file is not None:
        try:
            check_folder(job_dir)
            events_out = open_event_file(events_file)
        except (BadJobError, OSError) as error:
            failure = describe_failure(error)
            print(f"error: {failure.message}", file=progress_out, flush=True)
            return failure.exit_code

    def work(send: Callable[[Event], None], is_cancelled: Callable[[], bool]) -> None:
        run_job(job_dir, frames, send, is_cancelled)

    return _run(work, job_dir, events_out=events_out, progress_out=progress_out)


def redo(
    job_dir: Path,
    *,
    frames: FrameRange,
    changes: Sequence[str],
    events_out: IO[bytes] | None = None,
    progress_out: TextIO = sys.stderr,
) -> int:
    """Have a range of frames restyled again, with settings changed by name, and return the exit code; see `run`."""
    job_dir = Path(job_dir).absolute()

    def with_changes(job: Job) -> Job:
        return with_redo(job, *frames, change_settings(job.settings_at(frames[0]), changes))

    def work(send: Callable[[Event], None], is_cancelled: Callable[[], bool]) -> None:
        run_job(job_dir, None, send, is_cancelled, change=with_changes)

    return _run(work, job_dir, events_out=events_out, progress_out=progress_out)


def deflicker(
    request: DeflickerFrames, *, events_out: IO[bytes] | None = None, progress_out: TextIO = sys.stderr
) -> int:
    """Make frames steady, or go on with it, and return the exit code; arguments as for `run`."""

    def work(send: Callable[[Event], None], is_cancelled: Callable[[], bool]) -> None:
        run_deflicker(request, send, is_cancelled)

    return _run(work, Path(request.output_dir), events_out=events_out, progress_out=progress_out)


def _run(
    work: Callable[[Callable[[Event], None], Callable[[], bool]], None],
    folder: Path,
    *,
    events_out: IO[bytes] | None,
    progress_out: TextIO,
) -> int:
    """Do the work with signals, events and failures as a command line has them; `folder` is what is done then."""
    cancelled = _cancel_on_signals(progress_out)
    display = _Display(progress_out)

    def show(event: Event) -> None:
        if events_out is not None:
            try:
                events_out.write(encode_line(event))
                events_out.flush()
            except BrokenPipeError:
                cancelled.set()  # who reads the events has left, as after Ctrl-C in a pipeline
            except OSError as error:  # a full disk: the job meets it too, and ends by its own sentence
                display.line(f"events are not written: {error.strerror}")
        display.show(event)

    send = ProgressFilter(show, interval=TTY_SECONDS if progress_out.isatty() else LOG_SECONDS)
    try:
        work(send, cancelled.is_set)
    except (JobCancelledError, KeyboardInterrupt):
        show(JobCancelled(""))
        return JobCancelledError.exit_code
    except (Exception, SystemExit) as error:
        failure = describe_failure(error)
        if failure.kind == INTERNAL_KIND:
            display.line(failure.traceback.rstrip())
        show(JobFailed("", failure.kind, failure.message, failure.traceback))
        return failure.exit_code
    show(JobDone("", str(folder)))
    return 0


def _cancel_on_signals(progress_out: TextIO) -> threading.Event:
    """An event that Ctrl-C and a polite kill set. The second signal ends the process as it is: the journal bears it."""
    cancelled = threading.Event()

    def cancel(number: int, _: object) -> None:
        cancelled.set()
        signal.signal(number, signal.default_int_handler)

    signal.signal(signal.SIGINT, cancel)
    signal.signal(signal.SIGTERM, cancel)
    return cancelled


class _Display:
    """Events as lines for people; on a terminal, progress stays on one line."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._is_terminal = out.isatty()
        self._width = 0  # characters of the progress line that stands on the terminal now

    def show(self, event: Event) -> None:
        if isinstance(event, JobProgress):
            self._progress(event)
        elif isinstance(event, FrameDone):
            self.line(_plain(f"frame {event.frame}: {event.path}"))
        elif isinstance(event, JobNote):
            self.line(_plain(event.text))
        elif isinstance(event, JobDone):
            self.line(_plain(f"done: {event.job_dir}"))
        elif isinstance(event, JobCancelled):
            self.line("cancelled; run the same command again to go on")
        elif isinstance(event, JobFailed):
            self.line(f"error: {event.message}")

    def line(self, text: str) -> None:
        clear = "\r" + " " * self._width + "\r" if self._width else ""
        self._width = 0
        self._print(clear + text, end="\n")

    def _progress(self, event: JobProgress) -> None:
        text = progress_text(event)
        if self._is_terminal:
            self._print("\r" + text.ljust(self._width), end="")
            self._width = len(text)
        else:
            self.line(text)

    def _print(self, text: str, *, end: str) -> None:
        with suppress(OSError):  # a log on a full disk, or a terminal that was closed: no reason to end a job
            print(text, end=end, file=self._out, flush=True)


def _plain(text: str) -> str:
    """What names of folders or objects are in, so that they do nothing to the terminal."""
    return one_line(text, MESSAGE_LIMIT)


def progress_text(event: JobProgress) -> str:
    """Progress for people, such as "denoise 5/20, frame 12, 1:20 left"."""
    parts = [f"{event.stage} {event.step}/{event.step_count}"]
    if event.frame is not None:
        parts.append(f"frame {event.frame}")
    if event.seconds_left:
        minutes, seconds = divmod(round(event.seconds_left), 60)
        parts.append(f"{minutes}:{seconds:02d} left")
    return ", ".join(parts)
