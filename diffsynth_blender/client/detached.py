"""A worker that goes on without its host: started for a job folder, then known by that folder's files alone.

It lives as long as its event file is locked; so it can be found again by whoever opens the folder later, and nobody is
fooled by a process id that belongs to somebody else by now.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from ..protocol.errors import JobBusyError, ProtocolError, WorkerDiedError
from ..protocol.framing import LINE_LIMIT, decode_line
from ..protocol.job_folder import check_folder
from ..protocol.lock import try_lock
from ..protocol.messages import JOB_EVENTS, TERMINAL_EVENTS, Event, JobCancelled, JobFailed, Message, Ready
from ..protocol.traces import events_path, log_path
from .behind import start_behind
from .environment import worker_environment

RUN = ("-m", "diffsynth_blender.worker", "run")
START_SECONDS = 30.0  # to the first line of the event file; it takes a fraction of a second on an idle machine
LOG_BYTES = 20_000  # of the log's end, for bug reports


def start_detached(python: Path, package_root: Path, job_dir: Path, *, arguments: Sequence[str] = RUN) -> int:
    """Start a worker that runs or resumes a job folder and outlives this process; returns its process id.

    Waits until others can find it, which takes as long as its interpreter takes to start: 0.2 s on an idle machine.

    Args:
        python: The worker's interpreter.
        package_root: Folder that holds the package `diffsynth_blender`.
        job_dir: The job folder.
        arguments: For the interpreter; something else than the worker of this package in tests only.

    Raises:
        JobBusyError: A detached worker is at the folder already.
        BadJobError: The folder leads out of itself.
        WorkerDiedError: The interpreter cannot be started, or is no worker's.
        OSError: The folder cannot be written.
    """
    check_folder(job_dir)
    events, log = events_path(job_dir), log_path(job_dir)
    if is_detached(job_dir):
        raise JobBusyError(f"{job_dir}: a worker goes on with this job already; wait for it or stop it")
    events.parent.mkdir(parents=True, exist_ok=True)
    events.unlink(missing_ok=True)  # or its old end would be taken for the new one's
    with log.open("wb") as stderr:
        try:
            process = start_behind(
                [str(python), *arguments, str(Path(job_dir).absolute()), "--events", str(events)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                env=worker_environment(package_root),
                leaves=True,
            )
        except OSError as error:
            raise WorkerDiedError(
                f"{python}: cannot be started: {error.strerror}; choose the worker's Python in the preferences"
            ) from None
    deadline = time.monotonic() + START_SECONDS
    while not events.is_file() or not (is_detached(job_dir) or events.stat().st_size):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            process.wait()
            lines = log.read_text(errors="replace").split("\n")
            last = next((f"; its last words: {line}" for line in reversed(lines) if line.strip()), "")
            raise WorkerDiedError(f"{python}: did not start as a worker{last}; see {log}")
        time.sleep(0.01)
    # Should this process live on, somebody has to take note of the end, or a zombie stays.
    threading.Thread(target=process.wait, name="DiffSynth detached worker's end", daemon=True).start()
    return process.pid


def is_detached(job_dir: Path) -> bool:
    """Whether a detached worker of this machine is at the job folder now."""
    try:
        with events_path(job_dir).open("rb+") as file:
            return not try_lock(file)  # the lock goes with the file, at once
    except OSError:  # no such file, or one that cannot be written: nobody writes it
        return False


def has_traces(job_dir: Path) -> bool:
    """Whether a detached worker of this machine was ever at the job folder, with these results."""
    return events_path(job_dir).is_file()


class DetachedWorker:
    """What a detached worker tells, in the manner of `WorkerSession`. Following it or not makes no difference to it."""

    def __init__(self, job_dir: Path, *, start_seconds: float = START_SECONDS) -> None:
        """Begin to read its events, from the first on; it may still be starting."""
        self._job_dir = Path(job_dir)
        self._deadline = time.monotonic() + start_seconds
        self._read_bytes = 0
        self._pid: int | None = None
        self._is_over = False
        self._is_cancelled = False
        self._is_asked = False

    def poll(self) -> list[Event]:
        """The events since the last call; never waits. After the terminal one nothing comes."""
        if self._is_over:
            return []
        is_alive = is_detached(self._job_dir)  # asked first: what it wrote before its end is then read below
        try:
            events = self._read()
        except ProtocolError as error:
            self._is_over = True
            return [JobFailed("", error.kind, f"{events_path(self._job_dir)}: {error}", self._log())]
        self._ask()
        if any(isinstance(event, TERMINAL_EVENTS) for event in events):
            self._is_over = True
        elif not is_alive and (self._pid is not None or time.monotonic() > self._deadline):
            self._is_over = True
            events.append(JobCancelled("") if self._is_cancelled else self._death())
        return events

    def cancel(self, job_id: str = "") -> None:
        """Ask the worker to stop at its next step. Windows has no way to ask: there it ends at once."""
        self._is_cancelled = True
        self._ask()

    def close(self, grace: float = 2.0) -> None:
        """End the worker where it still runs: ask, wait at most `grace` [s], then kill. Afterwards it is gone."""
        if not is_detached(self._job_dir):
            return
        if not self._is_over:  # else it is on its way out
            self._read_quietly()
            self.cancel()
        deadline = time.monotonic() + grace
        while is_detached(self._job_dir):
            if time.monotonic() > deadline:
                self._kill()
                return
            time.sleep(0.02)

    def _ask(self) -> None:
        """Pass the wish to stop on, once it is known to whom."""
        if self._is_cancelled and not self._is_asked and self._pid is not None and is_detached(self._job_dir):
            os.kill(self._pid, signal.SIGTERM)
            self._is_asked = True

    def _kill(self) -> None:
        if self._pid is not None and hasattr(os, "killpg"):
            os.killpg(self._pid, signal.SIGKILL)  # it leads a group of its own, see `start_behind`
        while is_detached(self._job_dir):
            time.sleep(0.01)

    def _read(self) -> list[Event]:
        """Whole lines that were not read yet. Raises ProtocolError for one that is no event."""
        events: list[Event] = []
        try:
            with events_path(self._job_dir).open("rb") as file:
                file.seek(self._read_bytes)
                while (line := file.readline(LINE_LIMIT)) and (line.endswith(b"\n") or len(line) == LINE_LIMIT):
                    self._read_bytes += len(line)
                    self._take(decode_line(line), events)
        except FileNotFoundError:
            pass
        return events

    def _take(self, message: Message, events: list[Event]) -> None:
        if isinstance(message, Ready):
            self._pid = message.pid
        elif isinstance(message, (*JOB_EVENTS, *TERMINAL_EVENTS)):
            events.append(message)
        else:
            raise ProtocolError(f"{type(message).__name__} is not an event at this point")

    def _read_quietly(self) -> None:
        try:
            self._read()
        except ProtocolError:
            return  # it is being ended anyway

    def _death(self) -> JobFailed:
        lines = [line for line in self._log().splitlines() if line.strip()]
        words = f"; its last words: {lines[-1]}" if lines else ""
        return JobFailed("", WorkerDiedError.kind, f"the worker ended without a word of its job{words}", self._log())

    def _log(self) -> str:
        try:
            return log_path(self._job_dir).read_bytes()[-LOG_BYTES:].decode(errors="replace")
        except OSError:
            return ""
