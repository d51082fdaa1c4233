"""What to tell the host or the shell about an exception. Must not import torch to recognise torch's."""

import errno
import traceback
from dataclasses import dataclass

from ..protocol.errors import INTERNAL_EXIT_CODE, INTERNAL_KIND, DiffSynthError, StorageError, WorkerMemoryError

# CUDA out of memory is a class of its own; torch's CPU allocator and Warp raise a plain RuntimeError.
_MEMORY_ERROR_CLASSES = ("MemoryError", "OutOfMemoryError")
_MEMORY_ERROR_WORDS = ("DefaultCPUAllocator:", "CUDA out of memory", "CUDA error: out of memory", "Failed to allocate")
_STORAGE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)

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
    message = " ".join(str(error).split())[:MESSAGE_LIMIT]
    if isinstance(error, DiffSynthError):
        return Failure(error.kind, error.exit_code, message or type(error).__name__, where)
    if _is_memory_error(error):
        advice = "out of memory; use a smaller picture, fewer frames or a smaller window"
        return Failure(
            WorkerMemoryError.kind, WorkerMemoryError.exit_code, f"{advice} ({message or type(error).__name__})", where
        )
    if isinstance(error, OSError) and error.errno in _STORAGE_ERRORS:
        place = f"{error.filename}: " if error.filename else ""
        advice = f"{place}cannot be written: {error.strerror}; make room or give permission, then run the job again"
        return Failure(StorageError.kind, StorageError.exit_code, advice, where)
    return Failure(INTERNAL_KIND, INTERNAL_EXIT_CODE, f"{type(error).__name__}: {message}", where)


def _is_memory_error(error: BaseException) -> bool:
    if any(kind.__name__ in _MEMORY_ERROR_CLASSES for kind in type(error).__mro__):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _MEMORY_ERROR_WORDS)
