"""A coarse grid over a frame: smooth quantities are summed over blocks of pixels, spread to neighbours, and read back.

Colour casts and local warps of a diffusion model are smooth over tens of pixels. Their estimates are weighted means,
so sums and weights are spread alike and divided when they are read: a place without data takes its neighbours' value.
"""

from typing import Any

import warp as wp

wp.set_module_options({"enable_backward": False})

BLOCK = wp.constant(8)
"""Side of a block [px]."""


def grid_shape(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of the grid over a frame of this size."""
    block = int(BLOCK)
    return -(-height // block), -(-width // block)


@wp.func
def bell(distance: float, sigma: float) -> float:
    """Gaussian of a distance, unnormalised."""
    return wp.exp(-0.5 * distance * distance / (sigma * sigma))


@wp.func
def grid_place(pixel: int, count: int) -> float:
    """Position of a pixel between the centres of blocks, held inside the grid."""
    return wp.clamp((float(pixel) + 0.5) / float(BLOCK) - 0.5, 0.0, float(count - 1))


@wp.func
def read_grid(grid: wp.array3d[Any], layer: int, x: int, y: int) -> Any:
    """Bilinear value of the grid at a pixel."""
    across = grid_place(x, grid.shape[2])
    down = grid_place(y, grid.shape[1])
    left = int(across)
    top = int(down)
    right = wp.min(left + 1, grid.shape[2] - 1)
    bottom = wp.min(top + 1, grid.shape[1] - 1)
    fx = across - float(left)
    fy = down - float(top)
    upper = (1.0 - fx) * grid[layer, top, left] + fx * grid[layer, top, right]
    lower = (1.0 - fx) * grid[layer, bottom, left] + fx * grid[layer, bottom, right]
    return (1.0 - fy) * upper + fy * lower
