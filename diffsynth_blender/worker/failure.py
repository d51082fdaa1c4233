"""What to tell the host or the shell about an exception. Must not import torch to recognise torch's."""

import errno
import traceback
from dataclasses import dataclass

from ..protocol.errors import (
    INTERNAL_EXIT_CODE,
    INTERNAL_KIND,
    DeviceLostError,
    DiffSynthError,
    StorageError,
    SystemLimitError,
    WorkerMemoryError,
)
from ..protocol.texts import one_line
from ..refusals import is_device_lost, is_limit, is_out_of_memory
from ..writing import WriteError, is_forbidden

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_GONE = (errno.EIO, errno.ENODEV, errno.ENXIO, errno.ENOTCONN, errno.ESTALE)

MESSAGE_LIMIT, TRACEBACK_LIMIT = 2_000, 50_000  # characters: some libraries put whole arrays into their messages


@dataclass(frozen=True)
class Failure:
    """Why a job ended."""

    kind: str
    """`kind` of a `DiffSynthError`."""
    exit_code: int
    """What the command line returns."""
    message: str
    """One line."""
    traceback: str
    """Where it happened, several lines."""


def describe_failure(error: BaseException) -> Failure:
    """The failure an exception stands for."""
    where = "".join(traceback.format_exception(error))[-TRACEBACK_LIMIT:]
    known = error if isinstance(error, DiffSynthError) else _recognised(error)
    if known is None:
        return Failure(INTERNAL_KIND, INTERNAL_EXIT_CODE, f"{type(error).__name__}: {_one_line(str(error))}", where)
    return Failure(known.kind, known.exit_code, _one_line(str(known)) or type(known).__name__, where)


def _recognised(error: BaseException) -> DiffSynthError | None:
    """Our error for what Python, the system and the libraries say when the machine refuses; None for a bug."""
    words = _one_line(next(iter(str(error).splitlines()), "")) or type(error).__name__
    number = error.errno if isinstance(error, OSError) else None
    if is_limit(error):
        return SystemLimitError(
            f"the system grants the worker no more files or threads ({words}); end other programs or raise the limit "
            "(ulimit -n, ulimit -u), then run the job again"
        )
    if is_out_of_memory(error):
        return WorkerMemoryError(f"out of memory; use a smaller picture, fewer frames or a smaller window ({words})")
    if is_device_lost(error):
        return DeviceLostError(
            f"the graphics card does not answer any more ({words}); run the job again, it goes on where it stopped, "
            "and restart the computer where that does not help"
        )
    if isinstance(error, OSError) and (
        isinstance(error, WriteError) or is_forbidden(error) or number in (*_FULL, *_GONE)
    ):
        place = f"{error.filename}: " if error.filename else ""
        reason = error.strerror or words
        return StorageError(f"{place}cannot be written: {reason}; {_storage_remedy(error)}, then run the job again")
    return None


def _storage_remedy(error: OSError) -> str:
    if error.errno in _FULL:
        return "make room"
    if is_forbidden(error):
        return "give permission"
    return "see that the disk and the folder are there"


def _one_line(text: str) -> str:
    return one_line(text, MESSAGE_LIMIT)
