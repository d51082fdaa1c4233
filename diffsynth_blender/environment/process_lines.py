"""What a process says, line by line, by somebody who can be asked to stop at any time, also while it is silent."""

import queue
import threading
from collections.abc import Callable, Iterator
from typing import IO

from .errors import SetupCancelledError

POLL_SECONDS = 0.1  # how late a cancellation may be noticed


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
