"""Files that are being written: their names until they are finished, and what goes wrong, with the file's name.

Knows the standard library alone, so all may use it.
"""

import errno
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PART = ".part"
"""Marks a file that is not finished; it stays behind only where a process was killed, until the next one starts."""


def unfinished(path: Path) -> Path:
    """A temporary name beside `path`, where renaming is atomic. It keeps the suffix, by which image writers choose."""
    return path.with_name(f".{path.stem}-{secrets.token_hex(4)}{PART}{path.suffix}")


class WriteError(OSError):
    """A file could not be written, for whatever reason; `filename` is the file that was meant, not a temporary one."""


def is_forbidden(error: OSError) -> bool:
    """Whether the system refuses for want of permission, not of room: nothing that waiting would change."""
    return error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Make what the system refuses within the block a `WriteError` of `path`: by itself, a full disk names no file."""
    try:
        yield
    except OSError as error:
        raise WriteError(error.errno, error.strerror or str(error), str(path)) from error
