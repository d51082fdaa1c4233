"""The events of a job as a file, for a host that is not there now: what those that outlive it have in place of a pipe.

A detached worker writes one, and so does the second Blender that renders a shot and may be left alone with it.
"""

import errno
import os
import time
from pathlib import Path
from typing import IO

from .. import __version__
from .errors import BadJobError, JobBusyError
from .framing import encode_line
from .lock import try_lock
from .messages import PROTOCOL_VERSION, Ready

LOCK_SECONDS = 2.0  # whoever only asks whether a worker lives holds the lock for microseconds


def open_event_file(path: Path) -> IO[bytes]:
    """Open the file anew and lock it until this process ends; its first line says which process that is.

    Raises:
        JobBusyError: another worker writes to it.
        BadJobError: it cannot be written there.
        OSError: the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise BadJobError(f"{path}: cannot be written: {error.strerror}; choose another file for the events") from error
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
