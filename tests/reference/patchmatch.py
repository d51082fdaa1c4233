"""Patch matching written out slowly: what `diffsynth_blender/patchmatch` must agree with.

Float64, one patch at a time, every candidate tried. Pictures are (H, W, C), positions (x, y) in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np


def patch_error(
    target: np.ndarray, source: np.ndarray, weights: Sequence[float], at: tuple, position: tuple, radius: int
) -> float:
    """Weighted mean squared difference a pixel between the patch `at` a target pixel and that at a source position.

    Only pixels that lie in both pictures count. The source is read bilinearly.
    """
    errors = []
    for dy, dx in product(range(-radius, radius + 1), repeat=2):
        x, y = at[0] + dx, at[1] + dy
        sx, sy = float(position[0]) + dx, float(position[1]) + dy
        if not (0 <= x < target.shape[1] and 0 <= y < target.shape[0]):
            continue
        if not (0 <= sx <= source.shape[1] - 1 and 0 <= sy <= source.shape[0] - 1):
            continue
        errors.append(np.sum(np.asarray(weights) * (target[y, x] - read(source, sx, sy)) ** 2))
    return float(np.mean(errors))


def read(picture: np.ndarray, x: float, y: float) -> np.ndarray:
    """Bilinear value of a picture at a position on it."""
    left, top = int(np.floor(x)), int(np.floor(y))
    value = np.zeros(picture.shape[2:], np.float64)
    for cy, cx in product((top, top + 1), (left, left + 1)):
        share = (1.0 - abs(x - cx)) * (1.0 - abs(y - cy))
        if share > 0.0:
            value += share * picture[cy, cx]
    return value


def brute_force(
    target: np.ndarray,
    source: np.ndarray,
    weights: Sequence[float],
    radius: int,
    source_mask: np.ndarray | None = None,
) -> np.ndarray:
    """Least error of every target pixel over all allowed source pixels, (H, W); one offset at a time."""
    (height, width), (rows, columns) = target.shape[:2], source.shape[:2]
    allowed = np.ones((rows, columns), bool) if source_mask is None else source_mask != 0
    y, x = np.mgrid[:height, :width]
    least = np.full((height, width), np.inf)
    for dy, dx in product(range(1 - height, rows), range(1 - width, columns)):
        sy, sx = y + dy, x + dx
        inside = (sy >= 0) & (sy < rows) & (sx >= 0) & (sx < columns)
        sy, sx = np.where(inside, sy, 0), np.where(inside, sx, 0)
        squares = np.where(inside, np.sum(np.asarray(weights) * (target - source[sy, sx]) ** 2, axis=-1), 0.0)
        padded = [np.pad(values, radius) for values in (squares, inside.astype(float))]
        total, count = (
            sum(values[j : j + height, i : i + width] for j, i in product(range(2 * radius + 1), repeat=2))
            for values in padded
        )
        candidate = inside & allowed[sy, sx]
        least[candidate] = np.minimum(least[candidate], total[candidate] / count[candidate])
    return least


def area_mean(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the picture at another size, each pixel the mean over the area that it covers."""
    rows, columns = (coverage(old, new) for old, new in zip(picture.shape[:2], size, strict=True))
    return np.einsum("yr,xc,rc...->yx...", rows, columns, picture)


def coverage(old: int, new: int) -> np.ndarray:
    """Share of each of `old` pixels in each of `new` ones that cover the same length, (new, old)."""
    edges = np.arange(new + 1) * old / new
    pixels = np.arange(old)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return np.clip(overlap, 0.0, None) * new / old


def vote(nnf: np.ndarray, style: np.ndarray, radius: int) -> np.ndarray:
    """Mean colour of what all patches over a pixel propose, for a field (H, W, 2)."""
    height, width = nnf.shape[:2]
    voted = np.full((height, width, style.shape[2]), np.nan)
    for y, x in product(range(height), range(width)):
        proposals = []
        for cy, cx in product(range(y - radius, y + radius + 1), range(x - radius, x + radius + 1)):
            if 0 <= cx < width and 0 <= cy < height:
                sx, sy = nnf[cy, cx] + (x - cx, y - cy)
                if 0 <= sx <= style.shape[1] - 1 and 0 <= sy <= style.shape[0] - 1:
                    proposals.append(read(style, sx, sy))
        if proposals:
            voted[y, x] = np.mean(proposals, axis=0)
    return voted
