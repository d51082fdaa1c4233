"""The frames of one window on the device, however long the clip is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import warp as wp

Fetch = Callable[[int], "np.ndarray | wp.array"]
"""Returns a frame by index: NumPy (H, W, 3) float32 or Warp vec3 (H, W)."""


class FrameRing:
    """Holds the last frames asked for in the first slots of a pool; frame i lies in slot i modulo the ring's size.

    Attributes:
        pool: vec3, shape (slots, H, W), on the device; slots behind the ring belong to whoever made it.
    """

    def __init__(self, fetch: Fetch, pool: wp.array, size: int):
        """Fetch frames, values of any range, by index when they are needed, into the first `size` slots of `pool`."""
        self.pool = pool
        self._fetch = fetch
        self._held = [-1] * size

    def slot(self, index: int) -> int:
        """Return where frame `index` lies in the pool, fetching it if it is not there.

        Raises:
            ValueError: the frame has another size than the ring's.
        """
        _, height, width = self.pool.shape
        slot = index % len(self._held)
        if self._held[slot] != index:
            frame = self._fetch(index)
            if not isinstance(frame, wp.array):
                if frame.shape != (height, width, 3):
                    raise ValueError(f"frame {index} has shape {frame.shape}, the clip's are {(height, width, 3)}")
                pixels = np.ascontiguousarray(frame, dtype=np.float32)
                frame = wp.array(pixels, dtype=wp.vec3, device="cpu", copy=False)
            wp.copy(self.pool[slot], frame)
            self._held[slot] = index
        return slot
