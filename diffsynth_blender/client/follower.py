"""Following a worker that goes on without its host, by the files of its job folder alone."""

import os
import signal
import time
from pathlib import Path
from typing import IO

from ..protocol.errors import ProtocolError, WorkerDiedError
from ..protocol.framing import LINE_LIMIT, decode_line
from ..protocol.messages import JOB_EVENTS, TERMINAL_EVENTS, Event, JobCancelled, JobFailed, Message, Ready
from ..protocol.traces import events_path, log_path
from .detached import START_SECONDS, is_detached

KILL_SECONDS = 5.0  # to the end of a process that was killed; it takes milliseconds
LOG_BYTES = 20_000  # of the log's end, for bug reports


class DetachedWorker:
    """What a detached worker tells, in the manner of `WorkerSession`. Following it or not makes no difference to it."""

    def __init__(self, job_dir: Path, *, start_seconds: float = START_SECONDS) -> None:
        """Begin to read its events, from the first on; it may still be starting."""
        self._job_dir = Path(job_dir)
        self._deadline = time.monotonic() + start_seconds
        self._read_bytes = 0
        self._first_line = b""  # of its events, which says who it is; another worker's file starts otherwise
        self._pid: int | None = None
        self._is_over = False
        self._is_cancelled = False
        self._is_asked = False

    def poll(self) -> list[Event]:
        """The events since the last call; never waits. After the terminal one nothing comes."""
        if self._is_over:
            return []
        is_alive = self._is_there()  # asked first: what it wrote before its end is then read below
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
        deadline = time.monotonic() + grace
        while self._is_there():
            if not self._is_over:  # else it is on its way out
                self._read_quietly()
                self.cancel()
            if time.monotonic() > deadline:
                self._kill()
                return
            time.sleep(0.02)

    def _ask(self) -> None:
        """Pass the wish to stop on, once it is known to whom."""
        if self._is_cancelled and not self._is_asked and self._pid is not None and self._is_there():
            os.kill(self._pid, signal.SIGTERM)
            self._is_asked = True

    def _kill(self) -> None:
        if self._pid is not None and hasattr(os, "killpg"):
            os.killpg(self._pid, signal.SIGKILL)  # it leads a group of its own, see `start_behind`
        deadline = time.monotonic() + KILL_SECONDS
        while self._is_there() and time.monotonic() < deadline:
            time.sleep(0.01)

    def _is_there(self) -> bool:
        """Whether the worker whose events are read still runs, and not one that somebody else started after it.

        Who holds the lock has written the file, so its process id is nobody else's.
        """
        if not is_detached(self._job_dir):
            return False
        try:
            with events_path(self._job_dir).open("rb") as file:
                return self._is_same(file)
        except FileNotFoundError:
            return False

    def _is_same(self, file: IO[bytes]) -> bool:
        """Whether an open file is the one that was read before; true of any as long as none was."""
        return not self._first_line or file.readline(LINE_LIMIT) == self._first_line

    def _read(self) -> list[Event]:
        """Whole lines that were not read yet. Raises ProtocolError for one that is no event."""
        events: list[Event] = []
        try:
            with events_path(self._job_dir).open("rb") as file:
                if not self._is_same(file):
                    return []
                file.seek(self._read_bytes)
                while (line := file.readline(LINE_LIMIT)) and (line.endswith(b"\n") or len(line) == LINE_LIMIT):
                    self._first_line = self._first_line or line
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
