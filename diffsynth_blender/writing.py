"""What goes wrong while a file is written, with the file's name. Knows the standard library alone, so all may use it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class WriteError(OSError):
    """A file could not be written, for whatever reason; `filename` is the file that was meant, not a temporary one."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Make what the system refuses within the block a `WriteError` of `path`: by itself, a full disk names no file."""
    try:
        yield
    except OSError as error:
        raise WriteError(error.errno, error.strerror or str(error), str(path)) from error
