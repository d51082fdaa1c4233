"""The events of a job as a file, for a host that is not there now: what a detached worker has in place of a pipe."""

import os
import time
from pathlib import Path
from typing import IO

from .. import __version__
from ..protocol.errors import JobBusyError
from ..protocol.framing import encode_line
from ..protocol.lock import try_lock
from ..protocol.messages import PROTOCOL_VERSION, Ready

LOCK_SECONDS = 2.0  # whoever only asks whether a worker lives holds the lock for microseconds


def open_event_file(path: Path) -> IO[bytes]:
    """Open the file anew and lock it until this process ends; its first line says which process that is.

    Raises:
        JobBusyError: another worker writes to it.
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("ab")
    deadline = time.monotonic() + LOCK_SECONDS
    while not try_lock(file):
        if time.monotonic() > deadline:
            file.close()
            raise JobBusyError(f"{path}: another worker writes its events there; wait for it or stop it")
        time.sleep(0.02)
    os.dup(file.fileno())  # never closed: the lock is held to the very end, beyond what Python tears down before it
    file.truncate(0)
    file.write(encode_line(Ready(PROTOCOL_VERSION, __version__, os.getpid())))
    file.flush()
    return file
