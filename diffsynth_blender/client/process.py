"""The worker as an operating-system process: launch, send, collect what it writes, end. Must not know what a job is.

No call waits for the worker, except `terminate`, which waits no longer than it says. Threads read and write the pipes.
"""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TypeAlias

from ..protocol.errors import ProtocolError, WorkerDiedError
from ..protocol.framing import encode_line, read_messages
from ..protocol.messages import Message, Request, Shutdown
from .behind import start_behind
from .environment import worker_environment

SERVE = ("-m", "diffsynth_blender.worker", "serve")
STDERR_LINES = 40  # kept for the error message; a Python traceback of a deep library fits
STDERR_BYTES = 2_000  # of one line that are kept together
KILL_SECONDS = 2.0  # a killed process ends in milliseconds, where the system can end it
PIPE_SECONDS = 1.0  # a process that has ended may leave its pipes open in a child of its own; wait no longer for those

Received: TypeAlias = Message | ProtocolError


class WorkerProcess:
    """One worker process. Start it once; it cannot be started again."""

    def __init__(self, python: Path, package_root: Path, *, arguments: Sequence[str] = SERVE) -> None:
        """Name the worker.

        Args:
            python: The worker's interpreter.
            package_root: Folder that holds the package `diffsynth_blender`.
            arguments: For the interpreter; something else than the worker of this package in tests only.
        """
        self._python = Path(python)
        self._package_root = Path(package_root)
        self._arguments = tuple(arguments)
        self._process: subprocess.Popen[bytes] | None = None
        self._threads: list[threading.Thread] = []
        self._received: queue.SimpleQueue[Received] = queue.SimpleQueue()
        self._stderr: deque[str] = deque(maxlen=STDERR_LINES)
        self._requests: queue.SimpleQueue[Request | None] = queue.SimpleQueue()  # None: no more will come
        self._ended_at: float | None = None  # when its end was noticed

    @property
    def pid(self) -> int | None:
        """Process id; None before the start."""
        return self._process.pid if self._process else None

    @property
    def stderr_lines(self) -> list[str]:
        """The last lines the worker wrote to stderr, oldest first."""
        return list(self._stderr)

    def start(self) -> None:
        """Launch the process. Raises `WorkerDiedError` where the interpreter cannot be started."""
        if self._process is not None:
            raise RuntimeError("this worker was started before; make a new WorkerProcess")
        try:
            self._process = start_behind(
                [str(self._python), *self._arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=worker_environment(self._package_root),
            )
        except OSError as error:
            raise WorkerDiedError(
                f"{self._python}: cannot be started: {error.strerror}; choose the worker's Python in the preferences"
            ) from None
        assert self._process.stdin is not None
        assert self._process.stdout is not None and self._process.stderr is not None
        threading.Thread(target=self._write_stdin, args=(self._process.stdin,), daemon=True).start()
        self._thread(self._read_stdout, self._process.stdout)
        self._thread(self._read_stderr, self._process.stderr)

    def send(self, request: Request) -> None:
        """Send a request. To a worker that has ended nothing is sent; `is_alive` and `exit_reason` tell."""
        if self._process is None:
            raise RuntimeError("start the worker before sending to it")
        self._requests.put(request)

    def received(self) -> list[Received]:
        """What has come from the worker since the last call, without waiting; after a `ProtocolError` nothing comes."""
        messages = []
        while True:
            try:
                messages.append(self._received.get_nowait())
            except queue.Empty:
                return messages

    def is_alive(self) -> bool:
        """Whether the worker runs, or something it wrote may still be on its way to `received`."""
        if self._process is None:
            return False
        if self._process.poll() is None and self._threads[0].is_alive():
            return True
        if self._ended_at is None:
            self._ended_at = time.monotonic()  # its end, or that of all it will ever say
        if self._process.poll() is None:
            return time.monotonic() - self._ended_at < PIPE_SECONDS
        pipes_are_open = any(thread.is_alive() for thread in self._threads)
        return pipes_are_open and time.monotonic() - self._ended_at < PIPE_SECONDS

    def exit_reason(self) -> str:
        """How the worker ended, for people: "exit code 1", "killed by SIGKILL"."""
        code = self._process.poll() if self._process else None
        if code is None:
            return "still running" if self._ended_at is None else "it closed its end of the pipe"
        if code >= 0:
            return f"exit code {code}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        hint = "; the system may have run out of memory" if name == "SIGKILL" else ""
        return f"killed by {name}{hint}"

    def terminate(self, grace: float = 2.0) -> None:
        """End the worker: ask, wait at most `grace` [s], then kill it and its children. Leaves no zombie."""
        process = self._process
        if process is None:
            return
        self.send(Shutdown())
        self._requests.put(None)
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            _kill(process)
            _reap(process)
        if self._ended_at is None:
            self._ended_at = time.monotonic()
        deadline = self._ended_at + PIPE_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        # A pipe that somebody else holds open cannot be closed under the thread that reads it; leave it to that thread.
        if not any(thread.is_alive() for thread in self._threads):
            _close(process.stdout)
            _close(process.stderr)

    def _thread(self, target: object, stream: IO[bytes]) -> None:
        thread = threading.Thread(target=target, args=(stream,), name=f"worker {self.pid}", daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _write_stdin(self, stream: IO[bytes]) -> None:
        """Send what is to be sent. Where a worker reads nothing its pipe is soon full: only this thread waits."""
        try:
            while (request := self._requests.get()) is not None:
                stream.write(encode_line(request))
                stream.flush()
        except OSError:  # broken pipe, EINVAL on Windows: the worker has ended
            pass
        _close(stream)

    def _read_stdout(self, stream: IO[bytes]) -> None:
        try:
            for message in read_messages(stream):
                self._received.put(message)
        except ProtocolError as error:
            self._received.put(error)
            for _ in iter(lambda: stream.read(65536), b""):  # keep the pipe empty: a full one would stop the worker
                pass

    def _read_stderr(self, stream: IO[bytes]) -> None:
        # Not line by line: a progress bar writes for hours without ending one, and all of it would be kept.
        while line := stream.readline(STDERR_BYTES):
            self._stderr.append(line.decode(errors="replace").rstrip())


def _kill(process: subprocess.Popen[bytes]) -> None:
    if sys.platform == "win32":
        process.kill()
        return
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _reap(process: subprocess.Popen[bytes]) -> None:
    """Wait for the end of a killed process. One that a disk keeps (its server is gone) ends when the disk lets it."""
    try:
        process.wait(KILL_SECONDS)
    except subprocess.TimeoutExpired:
        threading.Thread(target=process.wait, name="DiffSynth worker's end", daemon=True).start()


def _close(stream: IO[bytes] | None) -> None:
    try:
        if stream is not None:
            stream.close()
    except OSError:
        return  # what could not be flushed had nobody to read it
