"""Frames of a whole clip on disk, for a job that needs them again: memory is for a window. Knows numpy, not torch.

One file of equal pieces, read and written in place. Not mapped into memory: mapped pages count as a process's own.
"""

from pathlib import Path
from types import TracebackType

import numpy as np

from ..writing import writing


class FrameStore:
    """Frames (H, W, 3) by index, in a file that goes away with the `with` block."""

    def __init__(
        self, path: Path, *, frame_count: int, height: int, width: int, dtype: type[np.floating] = np.float16
    ) -> None:
        """Make the file, in place of one that a killed job left.

        Args:
            path: of the file; its folder exists.
            frame_count: frames that may be kept.
            height: of a frame [px].
            width: of a frame [px].
            dtype: on disk; half precision rounds frames in [0, 1] by at most 0.07 / 255.
        """
        self._path = path
        self._shape = (height, width, 3)
        self._dtype = np.dtype(dtype)
        self._size = height * width * 3 * self._dtype.itemsize
        self._written = np.zeros(frame_count, dtype=bool)
        # Unbuffered: a frame is one call, and a buffer would be one more copy.
        with writing(path):
            self._file = path.open("w+b", buffering=0)

    def __enter__(self) -> "FrameStore":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __contains__(self, index: int) -> bool:
        return bool(self._written[index])

    def write(self, index: int, frame: np.ndarray) -> None:
        """Keep a frame, float32 (H, W, 3). Raises ValueError for another shape, WriteError when the disk is full."""
        if frame.shape != self._shape:
            raise ValueError(f"frame {index} has shape {frame.shape}, the store's have {self._shape}")
        rest = memoryview(np.ascontiguousarray(frame, dtype=self._dtype)).cast("B")
        with writing(self._path):
            self._file.seek(index * self._size)
            while rest:
                rest = rest[self._file.write(rest) :]
        self._written[index] = True

    def read(self, index: int) -> np.ndarray:
        """A frame that was kept, float32 (H, W, 3). Raises KeyError where none was."""
        if not self._written[index]:
            raise KeyError(index)
        frame = np.empty(self._shape, dtype=self._dtype)
        rest = memoryview(frame).cast("B")
        self._file.seek(index * self._size)
        while rest:
            count = self._file.readinto(rest)
            if not count:
                raise OSError(f"{self._path}: ends within frame {index}")
            rest = rest[count:]
        return frame.astype(np.float32)

    def close(self) -> None:
        """Remove the file."""
        self._file.close()
        self._path.unlink(missing_ok=True)
