"""The worker on a device that fails: `python -m tests.faults.failing_device FAULT NUMBER WORKER-ARGUMENTS…`.

The worker and all that it computes is real. Between PyTorch's operators and their kernels, where the refusal of an
allocator or a driver comes from, sits a mode that raises what PyTorch itself raises there:

    memory BYTES    no convolution's result of more bytes fits: OutOfMemoryError, as long as SIGUSR1 has not come
    frames COUNT    the same for results of more frames than so many
    lost COUNT      after so many operators that ask it the card has gone, for ever: AcceleratorError
    count 0         nothing fails; how many operators there were is the last line on stderr
"""

import signal
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from diffsynth_blender.worker.__main__ import main

CONVOLUTIONS = ("aten::convolution", "aten::conv2d")
ELSEWHERE = ("safetensors", "memory_estimate")
"""Whose operators are not the card's: weights are read into the computer's memory, an estimate has sizes only."""


def is_elsewhere() -> bool:
    """Whether the card has nothing to do with what is computed now."""
    frame = sys._getframe(1)
    while frame is not None and not any(name in frame.f_code.co_filename for name in ELSEWHERE):
        frame = frame.f_back
    return frame is not None


class FailingDevice(TorchDispatchMode):
    """What stands in for the driver."""

    def __init__(self, fault: str, number: int) -> None:
        """See the module."""
        super().__init__()
        self._fault = fault
        self._number = number
        self.count = 0

    def mend(self) -> None:
        """Nothing fails any more."""
        self._fault = "count"

    def __torch_dispatch__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if is_elsewhere():
            return func(*args, **(kwargs or {}))
        self.count += 1
        if self._fault == "lost" and self.count > self._number:
            raise torch.AcceleratorError("CUDA error: unspecified launch failure\nCUDA kernel errors might be …")
        result = func(*args, **(kwargs or {}))
        if func.name() in CONVOLUTIONS:
            taken = {"memory": result.nbytes, "frames": len(result)}.get(self._fault, 0)
            if taken > self._number:
                raise torch.OutOfMemoryError(f"CUDA out of memory. Tried to allocate {result.nbytes} bytes.")
        return result


if __name__ == "__main__":
    device = FailingDevice(sys.argv[1], int(sys.argv[2]))
    signal.signal(signal.SIGUSR1, lambda number, frame: device.mend())
    sys.argv[1:3] = []
    with device:
        code = main()
    print(f"operators: {device.count}", file=sys.stderr)
    sys.exit(code)
