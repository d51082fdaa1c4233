"""Exact passes for a larger frame: what a render of that size would hold, as far as the smaller one tells."""

from __future__ import annotations

import numpy as np

from .exr import ExactPasses

STEP = 0.02
"""How far neighbours of one object may lie off each other's tangent plane, as a share of the depth, to be one surface.
Depths alone would not tell: towards the horizon a ground's differ by half from pixel to pixel."""


def enlarge_passes(passes: ExactPasses, factor: int) -> ExactPasses:
    """Return the passes at `factor` times the size; sampled at `factor` times the offset from a pixel's centre.

    Object ids are those of the nearest pixel. Everything else is interpolated between the pixels around that show the
    same surface, depth and position as perspective wants it (1/z and position/z are linear on screen); motion is in
    pixels of the larger frame.
    """
    if factor == 1:
        return passes
    height, width = passes.depth.shape
    around = _Around(passes, _axis(height, factor), _axis(width, factor))
    # Where there is no depth to divide by, plain interpolation.
    depth = np.where(passes.depth > 0.0, passes.depth, 1.0).astype(np.float64)
    inverse = around.interpolate(1.0 / depth)
    position = around.interpolate(passes.position / depth[..., None]) / inverse[..., None]
    return ExactPasses(
        depth=np.where(around.nearest(passes.depth) > 0.0, 1.0 / inverse, 0.0).astype(np.float32),
        normal=around.interpolate(passes.normal).astype(np.float32),
        vector=(around.interpolate(passes.vector) * factor).astype(np.float32),
        position=position.astype(np.float32),
        object_id=around.nearest(passes.object_id),
    )


def _axis(length: int, factor: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each place of the larger axis: the places before and after it, and the share of the one after."""
    place = np.clip((np.arange(length * factor) + 0.5) / factor - 0.5, 0, length - 1)
    low = np.minimum(place.astype(np.intp), max(length - 2, 0))
    return low, np.minimum(low + 1, length - 1), place - low


class _Around:
    """The four pixels around each pixel of the larger frame, with weights that add up to one."""

    def __init__(self, passes: ExactPasses, rows: tuple, columns: tuple) -> None:
        self._nearest = np.ix_(*(np.where(share < 0.5, low, high) for low, high, share in (rows, columns)))
        id_here, reach = self.nearest(passes.object_id), STEP * np.abs(self.nearest(passes.depth))
        position, normal = self.nearest(passes.position), self.nearest(passes.normal)
        self._places = []
        weights = []
        for y, y_share in ((rows[0], 1 - rows[2]), (rows[1], rows[2])):
            for x, x_share in ((columns[0], 1 - columns[2]), (columns[1], columns[2])):
                place = np.ix_(y, x)
                same = passes.object_id[place] == id_here
                off_plane = np.abs(((passes.position[place] - position) * normal).sum(-1))
                self._places.append(place)
                weights.append(np.outer(y_share, x_share) * (same & (off_plane <= reach)))
        # The nearest pixel always counts, with a quarter or more.
        self._weights = np.stack(weights) / np.sum(weights, axis=0)

    def nearest(self, plane: np.ndarray) -> np.ndarray:
        """Return what the nearest pixel holds."""
        return plane[self._nearest]

    def interpolate(self, values: np.ndarray) -> np.ndarray:
        """Return float64 values between those of one surface, shape (H', W') or (H', W', C)."""
        spread = (slice(None), slice(None), *(None,) * (values.ndim - 2))
        return sum(weight[spread] * values[place] for weight, place in zip(self._weights, self._places, strict=True))
