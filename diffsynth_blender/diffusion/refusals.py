"""What libraries raise where the device or the system refuses: no memory left, no card any more. Imports no torch.

CUDA out of memory is a class of its own, of PyTorch's own allocator. What another library asks of the driver comes as
an `AcceleratorError`, what cuBLAS and cuDNN are refused, the CPU's allocator, oneDNN and Warp as a plain RuntimeError.
"""

_MEMORY_CLASSES = ("MemoryError", "OutOfMemoryError")
_MEMORY_WORDS = (
    "DefaultCPUAllocator:", "could not create a memory", "could not create a primitive", "bad_alloc",
    "CUDA out of memory", "HIP out of memory", "CUDA error: out of memory", "HIP error: out of memory", "ALLOC_FAILED",
    "Failed to allocate",
)  # fmt: skip
_DEVICE_CLASSES = ("AcceleratorError",)
_DEVICE_WORDS = ("CUDA error", "HIP error", "CUDA driver error", "EXECUTION_FAILED", "STATUS_INTERNAL_ERROR")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception means that the device or the computer has no memory left."""
    if isinstance(error, MemoryError) or _is_a(error, _MEMORY_CLASSES):
        return True
    return isinstance(error, RuntimeError) and _says(error, _MEMORY_WORDS)


def is_device_lost(error: BaseException) -> bool:
    """Whether an exception means that the device has stopped: whatever this process asks of it from now on fails."""
    if is_out_of_memory(error) or not isinstance(error, RuntimeError):
        return False
    return _is_a(error, _DEVICE_CLASSES) or _says(error, _DEVICE_WORDS)


def _is_a(error: BaseException, names: tuple[str, ...]) -> bool:
    return any(kind.__name__ in names for kind in type(error).__mro__)


def _says(error: BaseException, words: tuple[str, ...]) -> bool:
    text = str(error)
    return any(word in text for word in words)
