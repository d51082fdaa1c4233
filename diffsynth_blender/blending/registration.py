"""Kernels of the accurate blend that undo each frame's own colour cast and local warp before averaging.

A diffusion model renders each frame with a slightly different colour, contrast and shape. All are smooth over tens of
pixels, and average out over a window, so every source is registered to the window's own mean, in colour and in
place; what is left after that is noise, or an outlier.

Must not know time: which sources there are, and their weights, is given.
"""

import warp as wp

from .grid import BLOCK, bell, read_grid
from .moving import colour_of

wp.set_module_options({"enable_backward": False})

LARGEST_SHIFT = wp.constant(1.5)
"""Farthest that a source is moved by registration [px]; what differs by more is no warp but other content."""


@wp.struct
class BlockSums:
    """Weighted sums over one block of one source: what least squares needs, and the mean difference in colour."""

    xx: float
    xy: float
    yy: float
    x: float
    y: float
    residual: float
    weight: float
    colour: wp.vec3
    pure_weight: float


@wp.func
def slope(picture: wp.array2d[wp.vec3], x: int, y: int, dx: int, dy: int) -> wp.vec3:
    """Central difference, one-sided at the border."""
    x0 = wp.max(x - dx, 0)
    y0 = wp.max(y - dy, 0)
    x1 = wp.min(x + dx, picture.shape[1] - 1)
    y1 = wp.min(y + dy, picture.shape[0] - 1)
    steps = wp.max(x1 - x0 + y1 - y0, 1)
    return (picture[y1, x1] - picture[y0, x0]) / float(steps)


@wp.kernel
def sum_blocks(
    # In:
    first_row: int,
    moved: wp.array3d[wp.vec4],
    casts: wp.array3d[wp.vec3],
    consensus: wp.array2d[wp.vec3],
    pure: wp.array2d[wp.uint8],
    # Out:
    sums_out: wp.array3d[BlockSums],
) -> None:
    """Compare every source with the consensus, block by block; in colour only where no silhouette mixes two."""
    row, column = wp.tid()
    block_row = first_row + row
    for k in range(moved.shape[0]):
        sums = BlockSums()
        for j in range(BLOCK):
            for i in range(BLOCK):
                x = column * BLOCK + i
                y = block_row * BLOCK + j
                if x < moved.shape[2] and y < moved.shape[1]:
                    source = moved[k, y, x]
                    if source[3] > 0.0:
                        cast = read_grid(casts, k, x, y)
                        away = colour_of(source) - consensus[y, x]
                        across = slope(consensus, x, y, 1, 0)
                        down = slope(consensus, x, y, 0, 1)
                        w = source[3]
                        sums.xx += w * wp.dot(across, across)
                        sums.xy += w * wp.dot(across, down)
                        sums.yy += w * wp.dot(down, down)
                        sums.x += w * wp.dot(across, away - cast)
                        sums.y += w * wp.dot(down, away - cast)
                        sums.residual += w * wp.dot(away - cast, away - cast)
                        sums.weight += w
                        if pure[y, x] != wp.uint8(0):
                            sums.colour += w * away
                            sums.pure_weight += w
        sums_out[k, block_row, column] = sums


@wp.kernel
def spread_casts(
    # In:
    first_row: int,
    sums: wp.array3d[BlockSums],
    sigma: float,
    # Out:
    casts_out: wp.array3d[wp.vec3],
) -> None:
    """Mean difference in colour around each block; 0 where the source says nothing at all."""
    row, column = wp.tid()
    block_row = first_row + row
    reach = int(wp.ceil(2.5 * sigma))
    for k in range(sums.shape[0]):
        total = wp.vec3(0.0)
        weight = wp.float32(0.0)
        for j in range(wp.max(block_row - reach, 0), wp.min(block_row + reach + 1, sums.shape[1])):
            for i in range(wp.max(column - reach, 0), wp.min(column + reach + 1, sums.shape[2])):
                near = bell(float(i - column), sigma) * bell(float(j - block_row), sigma)
                total += near * sums[k, j, i].colour
                weight += near * sums[k, j, i].pure_weight
        casts_out[k, block_row, column] = wp.vec3(0.0)
        if weight > 1.0e-3:
            casts_out[k, block_row, column] = total / weight


@wp.kernel
def solve_shifts(
    # In:
    first_row: int,
    sums: wp.array3d[BlockSums],
    sigma: float,
    stiffness: float,
    shifts_in: wp.array3d[wp.vec2],
    # Out:
    shifts_out: wp.array3d[wp.vec2],
) -> None:
    """Least-squares displacement around each block, added to the one so far.

    One step of Lucas and Kanade (1981), as the maximum a posteriori under noise of the measured residual: without
    contrast, or under noise that hides it, nothing moves.
    """
    row, column = wp.tid()
    block_row = first_row + row
    reach = int(wp.ceil(2.5 * sigma))
    for k in range(sums.shape[0]):
        xx = wp.float32(0.0)
        xy = wp.float32(0.0)
        yy = wp.float32(0.0)
        bx = wp.float32(0.0)
        by = wp.float32(0.0)
        residual = wp.float32(0.0)
        weight = wp.float32(0.0)
        for j in range(wp.max(block_row - reach, 0), wp.min(block_row + reach + 1, sums.shape[1])):
            for i in range(wp.max(column - reach, 0), wp.min(column + reach + 1, sums.shape[2])):
                near = bell(float(i - column), sigma) * bell(float(j - block_row), sigma)
                block = sums[k, j, i]
                xx += near * block.xx
                xy += near * block.xy
                yy += near * block.yy
                bx += near * block.x
                by += near * block.y
                residual += near * block.residual
                weight += near * block.weight
        ridge = stiffness * residual / wp.max(weight, 1.0e-3) + 1.0e-6
        xx += ridge
        yy += ridge
        det = xx * yy - xy * xy
        step = wp.vec2(-(yy * bx - xy * by) / det, -(xx * by - xy * bx) / det)
        shift = shifts_in[k, block_row, column] + step
        length = wp.length(shift)
        if length > LARGEST_SHIFT:
            shift = shift * (LARGEST_SHIFT / length)
        shifts_out[k, block_row, column] = shift
