"""The latest picture: how a frame of the clip looks so far, small, for whoever waits. Never changes the result.

Small, because an interface reads it between two of its own pictures: a whole frame would take longer than that.
"""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from ..passes.images import write_png

SIZE = 256  # px, the longer side
SECONDS = 1.0  # between two pictures at least
SHARE = 20  # and so many times as long as the last one took: pictures cost a twentieth of the time at most


class LatestPicture:
    """Replaces one file by newer pictures, not more often than anybody looks at it."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Args: `path` of the file, its folder exists; `clock` tells the time [s]."""
        self._path = path
        self._clock = clock
        self._next_at = float("-inf")

    def show(self, picture: Callable[[], np.ndarray]) -> None:
        """Show what `picture` returns, (H, W, 3) in [0, 1]; it is not called when it is too early for another."""
        started_at = self._clock()
        if started_at < self._next_at:
            return
        write_png(self._path, shrink(picture()))
        now = self._clock()
        self._next_at = now + max(SECONDS, SHARE * (now - started_at))


def shrink(picture: np.ndarray) -> np.ndarray:
    """A picture (H, W, 3) in [0, 1], not larger than `SIZE`, as float32."""
    height, width = picture.shape[:2]
    scale = min(1.0, SIZE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    image = Image.fromarray(np.rint(np.clip(picture, 0.0, 1.0) * 255.0).astype(np.uint8))
    return np.asarray(image.resize(size, Image.Resampling.BOX), dtype=np.float32) / np.float32(255.0)
