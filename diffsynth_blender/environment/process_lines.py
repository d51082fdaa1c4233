"""What a process says, line by line, by somebody who can be asked to stop at any time, also while it is silent."""

import queue
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO

from .errors import SetupCancelledError, SetupError

POLL_SECONDS = 0.1  # how late a cancellation may be noticed


def run_lines(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    on_line: Callable[[str], None],
    is_cancelled: Callable[[], bool],
    cancelled: str,
    remedy: str,
    errors: IO[bytes] | None = None,
    start: Callable[..., "subprocess.Popen[str]"] = subprocess.Popen,
) -> int:
    """Run a program to its end; it does not outlive an exception.

    Args:
        command: program and arguments.
        environment: its variables, all of them.
        on_line: receives every line it says.
        is_cancelled: asked all the time; once true, the program is ended.
        cancelled: what a SetupCancelledError then says.
        remedy: what to do where it cannot be started.
        errors: receives what it says on stderr; these are lines like all others by default.
        start: starts it, as `subprocess.Popen` does.

    Returns:
        Its exit code.

    Raises:
        SetupError: it cannot be started.
        SetupCancelledError: it was asked to stop.
    """
    try:
        process = start(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if errors is None else errors,
            env=dict(environment),
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        raise SetupError(f"{command[0]}: cannot be started: {error.strerror}; {remedy}") from None
    assert process.stdout is not None
    try:
        for line in lines_of(process.stdout, is_cancelled, cancelled):
            on_line(line)
    except BaseException:
        process.kill()
        raise
    finally:
        process.wait()
    return process.returncode


def lines_of(stream: IO[str], is_cancelled: Callable[[], bool], cancelled: str) -> Iterator[str]:
    """Yield the lines of a pipe until its end, which a thread reads and closes.

    Args:
        stream: of the process.
        is_cancelled: asked all the time.
        cancelled: what a SetupCancelledError then says; the process is the caller's to end.
    """
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(stream, lines), daemon=True).start()
    while True:
        if is_cancelled():
            raise SetupCancelledError(cancelled)
        try:
            line = lines.get(timeout=POLL_SECONDS)
        except queue.Empty:
            continue
        if line is None:
            return
        yield line


def _read(stream: IO[str], lines: "queue.SimpleQueue[str | None]") -> None:
    with stream:
        for line in stream:
            lines.put(line.rstrip())
    lines.put(None)
