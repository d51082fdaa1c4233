"""What Python and the libraries raise where the machine refuses: no memory, no card any more, no more files or threads.

Such an exception says nothing about the file or the settings that were in use when it came. Knows the standard library
alone, so all may use it; classes of other libraries are known by their names.

CUDA out of memory is a class of its own, of PyTorch's own allocator. What another library asks of the driver comes as
an `AcceleratorError`; what cuBLAS and cuDNN are refused, the CPU's allocator, oneDNN and Warp as a plain RuntimeError;
what the loader of libraries lacks as an ImportError, what Pillow's encoders lack as an OSError; what safetensors is
refused as an error of its own.
"""

import errno
from collections.abc import Iterator

_MEMORY_CLASSES = ("MemoryError", "OutOfMemoryError")
_MEMORY_WORDS = (
    "DefaultCPUAllocator:", "could not create a memory", "could not create a primitive", "bad_alloc",
    "CUDA out of memory", "HIP out of memory", "CUDA error: out of memory", "HIP error: out of memory", "ALLOC_FAILED",
    "Failed to allocate", "failed to map segment", "annot allocate memory", "unable to mmap",
    "codec configuration error when writing", "out of memory when writing",
)  # fmt: skip
_DEVICE_CLASSES = ("AcceleratorError",)
_DEVICE_WORDS = ("CUDA error", "HIP error", "CUDA driver error", "EXECUTION_FAILED", "STATUS_INTERNAL_ERROR")
_LIMIT_WORDS = ("Too many open files", "can't start new thread", "Resource temporarily unavailable")
_SPEAKERS = ("RuntimeError", "ImportError", "OSError", "SafetensorError")
"""Classes whose words count: a ValueError may quote anything."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception means that the device or the computer has no memory left."""
    if _is_a(error, _MEMORY_CLASSES) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    return _says(error, _MEMORY_WORDS)


def is_device_lost(error: BaseException) -> bool:
    """Whether an exception means that the device has stopped: whatever this process asks of it from now on fails."""
    if is_out_of_memory(error) or not isinstance(error, RuntimeError):
        return False
    return _is_a(error, _DEVICE_CLASSES) or _says(error, _DEVICE_WORDS)


def is_limit(error: BaseException) -> bool:
    """Whether an exception means that the system grants this process no more files, threads or processes."""
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE, errno.EAGAIN):
        return True
    return _says(error, _LIMIT_WORDS)


def pass_refusal_on(error: Exception) -> None:
    """Raise the machine's refusal behind an exception where there is one: for who blames a file for whatever it was."""
    for link in _chain(error):
        if is_out_of_memory(link) or is_device_lost(link) or is_limit(link):
            raise link from None


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _is_a(error: BaseException, names: tuple[str, ...]) -> bool:
    return any(kind.__name__ in names for kind in type(error).__mro__)


def _says(error: BaseException, words: tuple[str, ...]) -> bool:
    text = str(error)
    return _is_a(error, _SPEAKERS) and any(word in text for word in words)
