"""Kernels that measure how far a window's frames follow the guide's light."""

import warp as wp

from .grid import BLOCK, bell
from .links import GAIN_STEPS, Link, log_luma
from .moving import colour_of

wp.set_module_options({"enable_backward": False})


@wp.kernel
def compare_light(
    # In:
    first_row: int,
    links: wp.array3d[Link],
    moved: wp.array3d[wp.vec4],
    # Out:
    sums_out: wp.array2d[wp.vec2],
) -> None:
    """Block by block, how the sources' brightness varies with the guide's: covariance and the guide's variance.

    Each pixel's own mean over the sources is taken off, so that neither texture nor casts count.
    """
    row, column = wp.tid()
    block_row = first_row + row
    sums = wp.vec2(0.0)
    for j in range(BLOCK):
        for i in range(BLOCK):
            x = column * BLOCK + i
            y = block_row * BLOCK + j
            if x < moved.shape[2] and y < moved.shape[1]:
                weight = wp.float32(0.0)
                guide = wp.float32(0.0)
                style = wp.float32(0.0)
                square = wp.float32(0.0)
                product = wp.float32(0.0)
                for k in range(moved.shape[0]):
                    source = moved[k, y, x]
                    if source[3] > 0.0:
                        # The guide's brightness there, relative to the target's.
                        octaves = -float(links[k, y, x].gain) / GAIN_STEPS
                        bright = log_luma(colour_of(source)) - log_luma(colour_of(moved[0, y, x]))
                        weight += source[3]
                        guide += source[3] * octaves
                        style += source[3] * bright
                        square += source[3] * octaves * octaves
                        product += source[3] * octaves * bright
                if weight > 0.0:
                    sums += wp.vec2(product - guide * style / weight, square - guide * guide / weight)
    sums_out[block_row, column] = sums


@wp.kernel
def find_follow(
    # In:
    first_row: int,
    sums: wp.array2d[wp.vec2],
    sigma: float,
    ridge: float,
    # Out:
    follows_out: wp.array3d[float],
) -> None:
    """How far the frames follow the guide's light around each block: 0 not at all, 1 octave for octave."""
    row, column = wp.tid()
    block_row = first_row + row
    reach = int(wp.ceil(2.5 * sigma))
    total = wp.vec2(0.0)
    for j in range(wp.max(block_row - reach, 0), wp.min(block_row + reach + 1, sums.shape[0])):
        for i in range(wp.max(column - reach, 0), wp.min(column + reach + 1, sums.shape[1])):
            total += bell(float(i - column), sigma) * bell(float(j - block_row), sigma) * sums[j, i]
    follows_out[0, block_row, column] = wp.clamp(total[0] / (total[1] + ridge), 0.0, 1.0)
