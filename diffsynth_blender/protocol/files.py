"""Writing files so that a reader, or the next run after a crash, sees the old one or the new one, never half of one."""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..writing import PART, unfinished, writing

HASH_BLOCK = 1 << 20  # bytes read at a time: memory stays small for any file


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; when the block ends well, it becomes `path`, otherwise it is removed.

    The temporary name keeps the suffix. The folder of `path` must exist. Raises WriteError where the system refuses.
    """
    temporary = unfinished(path)
    try:
        with writing(path):
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
            _sync_folder(path.parent)
    except BaseException:
        with suppress(OSError):  # a disk that is gone takes nothing away; what counts is why
            temporary.unlink()
        raise


def write_bytes_atomic(path: Path, content: bytes) -> None:
    """Write a whole file at once, see `replacing`."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def remove_parts(folder: Path, *, below: bool = False) -> None:
    """Remove what killed processes left behind in a folder, and in those `below` it where asked for.

    Only for who knows that nobody else writes there.
    """
    for path in Path(folder).glob(f"{'**/' if below else ''}.*{PART}*"):
        path.unlink(missing_ok=True)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, as hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(HASH_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut. Windows cannot open folders, some network file systems cannot sync them."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
