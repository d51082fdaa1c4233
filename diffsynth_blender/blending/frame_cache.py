"""The few frames that are being worked on, on the device, however long the clip is."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import numpy as np
import warp as wp

Fetch = Callable[[int], "np.ndarray | wp.array"]
"""Returns a frame by index: NumPy (H, W, 3) float32 or Warp vec3 (H, W)."""


class FrameCache:
    """Holds the frames asked for last in the first slots of a pool.

    Attributes:
        pool: vec3, shape (slots, H, W), on the device; slots behind the cache's belong to whoever made the pool.
    """

    def __init__(self, fetch: Fetch, pool: wp.array, size: int):
        """Fetch frames, values of any range, by index when they are needed, into the first `size` slots of `pool`."""
        self.pool = pool
        self._fetch = fetch
        self._slots: OrderedDict[int, int] = OrderedDict()
        self._free = list(range(size - 1, -1, -1))

    def slot(self, index: int) -> int:
        """Return where frame `index` lies in the pool; it stays there until `size` others have been asked for.

        Raises:
            ValueError: the frame has another size than the pool's.
        """
        if index not in self._slots:
            frame = self._read(index)
            slot = self._free.pop() if self._free else self._slots.popitem(last=False)[1]
            wp.copy(self.pool[slot], frame)
            self._slots[index] = slot
        self._slots.move_to_end(index)
        return self._slots[index]

    def _read(self, index: int) -> wp.array:
        frame = self._fetch(index)
        if isinstance(frame, wp.array):
            return frame
        _, height, width = self.pool.shape
        if frame.shape != (height, width, 3):
            raise ValueError(f"frame {index} has shape {frame.shape}, the clip's are {(height, width, 3)}")
        return wp.array(np.ascontiguousarray(frame, dtype=np.float32), dtype=wp.vec3, device="cpu", copy=False)


def frame_pool(slot_count: int, height: int, width: int, device: wp.Device) -> wp.array:
    """Return an empty pool, vec3, shape (slots, H, W)."""
    return wp.zeros((slot_count, height, width), dtype=wp.vec3, device=device)
