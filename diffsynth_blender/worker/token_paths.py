"""Which tokens of two frames show the same point, from the exact motion: what attention along trajectories asks for."""

import errno
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from ..writing import writing


class Motion(Protocol):
    """The part of `motion.clip.Clip` that is needed."""

    frames: tuple[int, ...]
    width: int
    height: int

    def field(self, target: int, source: int) -> np.ndarray:
        """Where the points of frame `target` lie in frame `source`: x, y, visibility, float32 (H, W, 3)."""


class TokenPaths:
    """A `Correspond` for all levels of a U-Net.

    Motion is asked once for each pair of frames. What it says is kept in a file, so that memory does not grow with the
    clip; the file may be thrown away.
    """

    def __init__(self, motion: Motion, path: Path, *, latent_size: tuple[int, int], factor: float, window: int) -> None:
        """Prepare the file; nothing is computed yet.

        Args:
            motion: of the computed frames, by their indices.
            path: the file, written anew.
            latent_size: rows and columns of a frame's latents, which begin where the picture begins.
            factor: the motion's pixels along the side of a latent pixel.
            window: frames that go through the network together: those of a pair are less than this apart.
        """
        self._motion = motion
        self._factor = factor
        self._reach = window - 1
        self._levels: dict[tuple[int, int], tuple[slice, int]] = {}
        h, w = latent_size
        start, scale = 0, 1
        while (h, w) not in self._levels:
            self._levels[h, w] = slice(start, start + h * w), scale
            start, scale = start + h * w, 2 * scale
            h, w = (h + 1) // 2, (w + 1) // 2
        self._count = start
        self._path = path
        # Read and written in place, not mapped into memory: a full disk would end the process there (SIGBUS).
        with writing(path):
            self._file = path.open("w+b", buffering=0)
        self._known = np.zeros(len(motion.frames) * (2 * self._reach + 1), bool)

    def __call__(self, target: int, source: int, h: int, w: int) -> torch.Tensor:
        """The tokens of frame `source` that show what those of frame `target` show, int64 (h*w,); -1 for none."""
        if abs(source - target) > self._reach:
            raise ValueError(f"frames {target} and {source} do not share a window of {self._reach + 1}")
        pair = target * (2 * self._reach + 1) + source - target + self._reach
        if not self._known[pair]:
            field = self._motion.field(target, source)
            tokens = np.empty(self._count, np.int32)
            for (rows, columns), (part, scale) in self._levels.items():
                tokens[part] = self._moved(field, rows, columns, self._factor * scale)
            self._write(pair, tokens)
            self._known[pair] = True
        return torch.from_numpy(self._read(pair, self._levels[h, w][0]).astype(np.int64))

    def _write(self, pair: int, tokens: np.ndarray) -> None:
        rest = memoryview(tokens).cast("B")
        with writing(self._path):
            self._file.seek(pair * rest.nbytes)
            while rest:
                rest = rest[self._file.write(rest) :]

    def _read(self, pair: int, part: slice) -> np.ndarray:
        tokens = np.empty(part.stop - part.start, np.int32)
        self._file.seek((pair * self._count + part.start) * tokens.itemsize)
        rest = memoryview(tokens).cast("B")
        while rest:
            count = self._file.readinto(rest)
            if not count:
                raise OSError(errno.EIO, "ends too early", str(self._path))
            rest = rest[count:]
        return tokens

    def _moved(self, field: np.ndarray, h: int, w: int, side: float) -> np.ndarray:
        """Where the middles of h x w tokens, `side` pixels wide, go: the tokens there, or -1."""
        row, column = (
            np.minimum(((np.arange(count) + 0.5) * side).astype(int), size - 1)
            for count, size in ((h, self._motion.height), (w, self._motion.width))
        )
        x, y, visible = np.moveaxis(field[row[:, None], column].reshape(-1, 3), -1, 0)
        seen = visible > 0
        there = [np.floor((np.where(seen, where, 0.0) + 0.5) / side).astype(np.int64) for where in (y, x)]
        return np.where(seen, there[0].clip(0, h - 1) * w + there[1].clip(0, w - 1), -1)
