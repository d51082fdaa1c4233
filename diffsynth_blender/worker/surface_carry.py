"""Coordinates that moving surfaces had in the frame before, read between its pixels."""

import numpy as np

from ..diffusion.noise_surface import SurfacePoints

SAME_SURFACE = 4.0
"""Neighbouring pixels whose coordinates are farther apart than so many pixels' sizes show different parts of an object,
an arm before a body."""

ID_MASK = 0xFFFFFFFF


def label_of(id: np.ndarray, birth: int) -> np.ndarray:
    """A name, int64, for coordinates that objects with these ids, int32, were given in a frame, counted from 1.

    0 is for coordinates that hold in all frames. Without the frame in their name, coordinates in the world could be
    given again in a later frame to another point of the object that has moved there.
    """
    return id.astype(np.int64) + (birth << 32)


def read_coordinates(
    before: SurfacePoints, field: np.ndarray, id: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What pixels' points had for coordinates in the frame before.

    Args:
        before: that frame's, their labels by `label_of`.
        field: x, y [px] of the points in it, and whether it shows them, shape (N, 3).
        id: of the pixels' objects, int32, shape (N,).

    Returns:
        Which pixels' coordinates were found, bool (N,); of these the positions (M, 3) and labels (M,).
    """
    height, width = before.object.shape
    x, y, visible = field.T.astype(np.float64)
    left, top = np.floor(x), np.floor(y)
    right, below = x - left, y - top
    # The four pixels around: upper left, upper right, lower left, lower right.
    columns = np.clip(np.stack([left, left + 1, left, left + 1]), 0, width - 1).astype(int)
    rows = np.clip(np.stack([top, top, top + 1, top + 1]), 0, height - 1).astype(int)
    weights = np.stack([(1 - right) * (1 - below), right * (1 - below), (1 - right) * below, right * below])
    each = np.arange(len(id))
    labels, positions = before.object[rows, columns], before.position[rows, columns]
    weights = np.where((labels & ID_MASK) == (id.astype(np.int64) & ID_MASK), weights, 0.0)
    nearest = rows[weights.argmax(0), each], columns[weights.argmax(0), each]
    label = before.object[nearest]
    weights *= _belong(before, rows, columns, nearest)
    total = weights.sum(0)
    found = (visible > 0) & (total > 0)
    position = (weights[..., None] * positions).sum(0) / np.maximum(total, 1e-12)[:, None]
    # Beside a rim some of the four are missing, and their mean would pull the coordinates inwards at every step.
    rim = total < 1 - 1e-9
    if rim.any():
        position[rim] = _extrapolated(before, (nearest[0][rim], nearest[1][rim]), x[rim], y[rim])
    return found, position[found], label[found]


def _belong(
    before: SurfacePoints, rows: np.ndarray, columns: np.ndarray, pixel: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Whether pixels show the same part of the same surface as others beside them, with coordinates that go on."""
    rows, columns = rows.clip(0, before.object.shape[0] - 1), columns.clip(0, before.object.shape[1] - 1)
    apart = np.linalg.norm(before.position[rows, columns] - before.position[pixel], axis=-1)
    return (before.object[rows, columns] == before.object[pixel]) & (apart <= SAME_SURFACE * before.footprint[pixel])


def _extrapolated(
    before: SurfacePoints, pixel: tuple[np.ndarray, np.ndarray], x: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """Coordinates at x, y [px], (N, 3), going on from the pixels (rows, columns) as they change towards neighbours."""
    row, column = pixel
    position = before.position[pixel].copy()
    for way, down, right in ((x - column, 0, 1), (y - row, 1, 0)):
        slope = np.zeros_like(position)
        known = np.zeros(len(row), bool)
        for side in (-1, 1):
            beside = row + side * down, column + side * right
            good = _belong(before, *beside, pixel) & ~known
            good &= (beside[0] >= 0) & (beside[0] < before.object.shape[0])
            good &= (beside[1] >= 0) & (beside[1] < before.object.shape[1])
            there = before.position[beside[0][good], beside[1][good]]
            slope[good] = side * (there - position[good])
            known |= good
        position += way[:, None] * slope
    return position
