"""A lock on an open file that other processes respect and that dies with its holder, however it dies."""

import sys
from typing import IO

if sys.platform == "win32":
    import msvcrt

    # A Windows lock keeps others from reading the locked bytes: lock one far beyond any content.
    _LOCKED_BYTE = 1 << 40

    def try_lock(file: IO[bytes]) -> bool:
        """Take the lock, without waiting. Returns False where somebody else holds it."""
        file.seek(_LOCKED_BYTE)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def try_lock(file: IO[bytes]) -> bool:
        """Take the lock, without waiting. Returns False where somebody else holds it."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
