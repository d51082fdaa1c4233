"""Thick oil paint: strokes along the edges of things, with relief."""

from __future__ import annotations

import numpy as np

from ...passes.lines import blur
from .passes import LUMA, Passes, saturate, soft_kuwahara

STROKE = 7
"""Half the length of a stroke [pixels]."""
PERIOD = 8
"""Of the bristles along rows and columns [pixels]: a block of the autoencoder, so they are the same in each."""
PAINT_LIGHT = (-0.6, -0.8)
"""Across and down: where the light on the relief comes from."""


def oil(passes: Passes) -> np.ndarray:
    """Colours pulled along the strokes, the marks of bristles, ridges of paint lit from above."""
    image = saturate(passes.realistic, 1.3)
    tangent = directions(soft_kuwahara(image, 1.6, 3.2) @ LUMA, 2.5)
    # A stroke ends where the thing ends.
    painted = along(soft_kuwahara(image, 1.0, 2.0), tangent, passes.objects)
    painted = soft_kuwahara(painted, 1.0, 2.0)
    marks = along(bristles(image.shape[:2])[..., None], tangent, np.zeros_like(passes.objects))
    marks = marks[..., 0] / max(float(marks.std()), 1e-6)
    height = painted @ LUMA + 0.016 * marks
    down, across = np.gradient(blur(height, 0.6))
    relief = np.clip(-(PAINT_LIGHT[0] * across + PAINT_LIGHT[1] * down) * 1.5, -0.14, 0.14)
    contrast = painted + 0.15 * (painted - blur(painted, 12.0))
    shade = relief + 0.014 * marks
    return np.clip(contrast + shade[..., None] * (0.35 + painted), 0, 1)


def bristles(shape: tuple[int, int]) -> np.ndarray:
    """Ups and downs that repeat in every block, (H, W): what strokes are combed out of."""
    tile = np.random.default_rng(0).normal(size=(PERIOD, PERIOD)).astype(np.float32)
    repeats = tuple(-(-size // PERIOD) + 2 for size in shape)
    whole = blur(np.tile(tile, repeats), 0.9)[PERIOD : PERIOD + shape[0], PERIOD : PERIOD + shape[1]]
    return whole - whole.mean()


def directions(luma: np.ndarray, sigma: float) -> np.ndarray:
    """Unit vectors (across, down) along the edges, (H, W, 2): of the smallest change in a neighbourhood of `sigma`.

    Where nothing changes they lie along the picture's diagonal, as a painter's hand does.
    """
    down, across = np.gradient(blur(luma, 1.0))
    xx, yy, xy = (blur(value, sigma) for value in (across * across, down * down, across * down))
    angle = 0.5 * np.arctan2(2 * (xy + 1e-4), xx - yy) + np.pi / 2
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1).astype(np.float32)


def along(image: np.ndarray, tangent: np.ndarray, objects: np.ndarray) -> np.ndarray:
    """Mean of (H, W, C) along the stroke through each pixel, which follows the directions (H, W, 2) in its object."""
    height, width = image.shape[:2]
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    total, count = image.copy(), np.ones((height, width, 1), np.float32)
    for sign in (-1.0, 1.0):
        y, x, previous = rows, columns, sign * tangent
        inside = np.ones((height, width, 1), np.float32)
        i, j = rows.astype(np.int32), columns.astype(np.int32)
        for _ in range(STROKE):
            step = tangent[i, j]
            # A direction has no sign: go on, never back.
            step = np.where((step * previous).sum(axis=-1, keepdims=True) < 0, -step, step)
            previous = step
            x, y = x + step[..., 0], y + step[..., 1]
            i, j = (np.clip(np.rint(p), 0, size - 1).astype(np.int32) for p, size in ((y, height), (x, width)))
            inside = inside * (objects[i, j] == objects)[..., None]
            total = total + inside * image[i, j]
            count = count + inside
    return total / count
