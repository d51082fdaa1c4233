"""The latest picture: how a frame of the clip looks so far, small, for whoever waits. Never changes the result."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ..diffusion.latents import Codec, decode_each
from ..passes.images import write_png

SIZE = 256  # px, the longer side
SECONDS = 1.0  # between two pictures at least
SHARE = 20  # and so many times as long as the last one took: pictures cost a twentieth of the time at most


class LatestPicture:
    """Replaces one file by newer pictures, not more often than anybody looks at it."""

    def __init__(self, path: Path, codec: Codec, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Args: `path` of the file, its folder exists; `codec` that decodes; `clock` tells the time [s]."""
        self._path = path
        self._codec = codec
        self._clock = clock
        self._next_at = float("-inf")

    def show(self, x0: Callable[[], torch.Tensor]) -> None:
        """Show the clean latents (1, C, h, w) that `x0` returns; it is not called when it is too early for another."""
        started_at = self._clock()
        if started_at < self._next_at:
            return
        (picture,) = decode_each(self._codec, x0())
        write_png(self._path, shrink(picture.float().cpu().numpy()))
        now = self._clock()
        self._next_at = now + max(SECONDS, SHARE * (now - started_at))


def shrink(picture: np.ndarray) -> np.ndarray:
    """A picture (H, W, 3) in [0, 1], not larger than `SIZE`, as float32."""
    height, width = picture.shape[:2]
    scale = min(1.0, SIZE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    image = Image.fromarray(np.rint(np.clip(picture, 0.0, 1.0) * 255.0).astype(np.uint8))
    return np.asarray(image.resize(size, Image.Resampling.BOX), dtype=np.float32) / np.float32(255.0)
