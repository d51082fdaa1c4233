"""A process that a fault test holds: started, listened to, killed; every wait has a limit. Knows no worker and no host.

A limit that is reached raises `Hang`. Needs Linux: who is left of a session is read from /proc.
"""

import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

LIMIT = 300.0
"""Seconds that a tiny job may take on a machine that others use, and may stop for minutes; an idle one takes 4 s."""


class Hang(AssertionError):
    """A wait has reached its limit."""


class HeldProcess:
    """A command that tells events on stdout, one JSON object a line; the leader of a session of its own."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], cwd: Path | None = None) -> None:
        """Start the command; its events are read as they come."""
        self.started_at = time.monotonic()
        """On the clock of `time.monotonic` [s]."""
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=cwd,
            start_new_session=True,
        )
        self.events: list[dict[str, Any]] = []
        """All that were looked at so far."""
        self.times: list[float] = []
        """When each of them came [s after the start]."""
        self.stderr = ""
        """What it wrote for people, complete after `wait`."""
        self._waiting: queue.SimpleQueue[tuple[float, dict[str, Any]] | None] = queue.SimpleQueue()
        self._readers = [
            threading.Thread(target=self._read_events, daemon=True),
            threading.Thread(target=self._read_stderr, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        """Of the process, and of its session and group."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Exit code, None while it runs."""
        return self._process.poll()

    def until(self, moment: Callable[[dict[str, Any]], bool], limit: float = LIMIT) -> bool:
        """Wait for an event; False where the process ended without it. Raises Hang after `limit` [s]."""
        deadline = time.monotonic() + limit
        while True:
            try:
                told = self._waiting.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise self._hang(limit) from None
            if told is None:
                self._waiting.put(None)
                return False
            at, event = told
            self.times.append(at)
            self.events.append(event)
            if moment(event):
                return True

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send the process, and nobody else, a signal; harmless when it has ended."""
        self._process.send_signal(number)

    def wait(self, limit: float = LIMIT) -> int:
        """Wait for the end, read all that it said, and return the exit code. Raises Hang after `limit` [s]."""
        try:
            code = self._process.wait(limit)
        except subprocess.TimeoutExpired:
            raise self._hang(limit) from None
        self.until(lambda event: False, limit=10.0)
        for reader in self._readers:
            reader.join(10.0)
        return code

    def orphans(self, seconds: float = 3.0) -> list[int]:
        """Processes of the session that are left some seconds after its end."""
        return left_of_session(self.pid, seconds)

    def close(self) -> None:
        """End whatever is left of the session."""
        self._process.kill()
        self._process.wait()
        for pid in session_members(self.pid):
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(pid, signal.SIGKILL)

    def __enter__(self) -> "HeldProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _hang(self, limit: float) -> Hang:
        return Hang(f"no answer for {limit:g} s; the last events: {self.events[-3:]}; it said: {self.stderr[-500:]}")

    def _read_events(self) -> None:
        assert self._process.stdout is not None
        try:
            with self._process.stdout as stream:
                for line in stream:
                    # Blender has words of its own before a command begins; the last line of the dead may be torn.
                    if line.startswith(b"{") and line.endswith(b"\n"):
                        self._waiting.put((time.monotonic() - self.started_at, json.loads(line)))
        finally:
            self._waiting.put(None)

    def _read_stderr(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as stream:
            for line in stream:
                self.stderr += line.decode(errors="replace")


def running() -> Iterator[tuple[int, list[str]]]:
    """Each process and its fields in /proc/PID/stat from the state on; zombies do not count."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            status = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if status[0] != "Z":
            yield int(entry.name), status


def session_members(session: int) -> list[int]:
    """Processes of a session that run; zombies do not count."""
    return [pid for pid, status in running() if int(status[3]) == session]


def left_of_session(session: int, seconds: float = 3.0) -> list[int]:
    """Processes of a session that are still there after so many seconds."""
    deadline = time.monotonic() + seconds
    while members := session_members(session):
        if time.monotonic() > deadline:
            return members
        time.sleep(0.02)
    return []


def is_running(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition: Callable[[], bool], limit: float = LIMIT, what: str = "") -> None:
    """Wait for a condition. Raises Hang after `limit` [s]."""
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            raise Hang(f"{what or condition} not within {limit:g} s")
        time.sleep(0.01)
