"""The frames of one window on the device, however long the clip is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import warp as wp


class FrameRing:
    """Holds the last `size` frames asked for; frame i lies in slot i modulo `size`."""

    def __init__(self, fetch: Callable[[int], np.ndarray], size: int, height: int, width: int, device: str):
        """Fetch frames, values of any range, shape (H, W, 3), by index when they are needed."""
        self.frames = wp.zeros((size, height, width), dtype=wp.vec3, device=device)
        self._fetch = fetch
        self._held = [-1] * size

    def slot(self, index: int) -> int:
        """Return where frame `index` lies in `frames`, fetching it if it is not there."""
        size, height, width = self.frames.shape
        slot = index % size
        if self._held[slot] != index:
            frame = np.ascontiguousarray(self._fetch(index), dtype=np.float32)
            if frame.shape != (height, width, 3):
                raise ValueError(f"frame {index} has shape {frame.shape}, the clip's are {(height, width, 3)}")
            source = wp.array(frame, dtype=wp.vec3, device="cpu", copy=False)
            wp.copy(self.frames[slot], source)
            self._held[slot] = index
        return slot
