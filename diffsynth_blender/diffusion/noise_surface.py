"""Noise anchored to the surfaces of a scene: white in every frame, and the same where the same surface is.

Each object carries a lattice in its own coordinates, and each cell of it a random number that is a hash of where the
cell is. A latent pixel adds up the cells that its picture pixels see: nothing is carried from frame to frame, nothing
is interpolated, so nothing drifts and nothing loses its spread. Sums are weighted by area and divided by the root of
the summed squares, as in Monte-Carlo noise by hashed cells; here a cell counts in one latent pixel only. The cells
grow and shrink with the distance by factors of two, mixed so that neither spread nor independence changes.
"""

from dataclasses import dataclass

import numpy as np

from .noise_hash import hash_cells, hash_of, normal, scramble

CELL_SHARE = 0.375
"""Size of a cell, in sides of a latent pixel; up to twice that where levels are mixed.

Correlation with the first frame along the motion, latent pixels of 8 picture pixels, 48x32 of them, 11 frames of cards
on a ground before a travelling camera: 0.49 with 0.25, 0.55 with 0.375, 0.58 with 0.5; 0.56 is what nearest latent
pixels overlap on average. Moran's I stays below 0.005 with all three.
"""

CELL_PIXELS = 2.0
"""Least size of a cell in picture pixels: smaller ones fall between the samples, and are lost from frame to frame."""

PIXEL_BITS = 20
"""A frame has fewer latent pixels than 2 to this: 8192 picture pixels squared."""

TILT = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]])
"""Turns the lattice: objects are full of planes along their axes, and one that lies between two layers of cells would
see either of them by the rounding of its coordinates."""


@dataclass(frozen=True)
class SurfacePoints:
    """Which point of which surface each pixel of a frame shows."""

    position: np.ndarray
    """In coordinates that move with the surface, float64, shape (H, W, 3)."""
    object: np.ndarray
    """Which object's coordinates they are, an integer for each, shape (H, W)."""
    footprint: np.ndarray
    """Size of a pixel there, in the same units as the position, above 0, float, shape (H, W)."""


@dataclass(frozen=True)
class LatentCells:
    """What the latent pixels of a frame see: N pairs of a latent pixel and a cell."""

    pixel: np.ndarray
    """Index of the latent pixel, row by row, int64, shape (N,)."""
    cell: np.ndarray
    """Hash of the cell, uint64, shape (N,)."""
    weight: np.ndarray
    """Its factor in the sum; the squares of a latent pixel's weights add up to 1. Shape (N,)."""
    shape: tuple[int, int]
    """Rows and columns of latent pixels."""

    def noise(self, channels: int, seed: int, salt: int) -> np.ndarray:
        """White noise float32 (channels, h, w); other noise for every seed, salt and channel."""
        h, w = self.shape
        sums = [
            np.bincount(self.pixel, self.weight * normal(self.cell, hash_of(seed, salt, channel)), h * w)
            for channel in range(channels)
        ]
        return np.stack(sums).reshape(channels, h, w).astype(np.float32)


def latent_cells(points: SurfacePoints, factor: int) -> LatentCells:
    """Find the cells that each latent pixel sees, `factor` picture pixels along its side."""
    height, width = points.object.shape
    h, w = -(-height // factor), -(-width // factor)
    row, column = np.divmod(np.arange(height * width), width)
    pixel = row // factor * w + column // factor
    position = points.position.reshape(-1, 3).astype(np.float64, copy=False) @ TILT.T
    size = points.footprint.reshape(-1).astype(np.float64) * max(CELL_SHARE * factor, CELL_PIXELS)
    level, part = np.divmod(np.log2(size), 1.0)
    cells, weights = [], []
    # A cell of twice the side has four times the weight in a latent pixel's sum, where it is one of a fourth as many.
    for coarser, weight in ((0, np.sqrt(1.0 - part)), (1, np.sqrt(part) / 2)):
        lattice = np.floor(position / np.exp2(level + coarser)[:, None]).astype(np.int64)
        cells.append(hash_cells(lattice, points.object.reshape(-1), level + coarser))
        weights.append(weight)
    seen = np.concatenate(weights)
    used = seen > 0.0
    return _owned(np.tile(pixel, 2)[used], np.concatenate(cells)[used], seen[used], (h, w))


def _owned(pixel: np.ndarray, cell: np.ndarray, weight: np.ndarray, shape: tuple[int, int]) -> LatentCells:
    """Add up the samples of each cell in each latent pixel, and give each cell to the one that sees most of it.

    A cell that counted in two latent pixels would make them alike: with cells of a fourth, neighbours correlate by
    0.04, with cells of half by 0.10. Owned by one each, nothing is left of that, and the noise follows the motion as
    far as white noise can, which is by the area that a latent pixel shares with where it was.
    """
    # Sorted by one integer, several times faster than by two; 44 bits tell a frame's cells apart.
    key = (cell & ~np.uint64(2**PIXEL_BITS - 1)) | pixel.astype(np.uint64)
    order = np.argsort(key, kind="stable")
    starts = _starts(key[order])
    pixel, cell = pixel[order][starts], cell[order][starts]
    weight = np.add.reduceat(weight[order], starts)
    order = np.lexsort((pixel, -weight, cell))
    pixel, cell, weight = pixel[order], cell[order], weight[order]
    starts = _starts(cell)
    rank = np.arange(len(cell)) - np.repeat(starts, np.diff(starts, append=len(cell)))
    # What owns no cell at all keeps what it sees; another number of the cell's makes it independent of the owner.
    count = shape[0] * shape[1]
    kept = (rank == 0) | (np.bincount(pixel[rank == 0], minlength=count) == 0)[pixel]
    pixel, cell, weight = pixel[kept], scramble(cell[kept] + rank[kept].astype(np.uint64)), weight[kept]
    return LatentCells(pixel, cell, weight / np.sqrt(np.bincount(pixel, weight**2, count))[pixel], shape)


def _starts(column: np.ndarray) -> np.ndarray:
    """Where runs of equal entries begin."""
    changes = np.ones(len(column), bool)
    changes[1:] = column[1:] != column[:-1]
    return np.flatnonzero(changes)
