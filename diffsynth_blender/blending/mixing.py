"""Kernels that make one picture of moved sources: their weighted mean, and the finest band of the best of them."""

import warp as wp

from .grid import bell, read_grid
from .moving import colour_of

wp.set_module_options({"enable_backward": False})

DETAIL_SIGMA = wp.constant(1.0)
"""Of the Gaussian that splits off the finest band [px]."""


@wp.kernel
def blend_moved(
    # In:
    first_row: int,
    moved: wp.array3d[wp.vec4],
    casts: wp.array3d[wp.vec3],
    consensus: wp.array2d[wp.vec3],
    tolerance: float,
    power: float,
    # Out:
    blend_out: wp.array2d[wp.vec3],
) -> None:
    """Weighted mean of the moved sources less their casts; outliers from `consensus` count less.

    Written as a correction of the first source there is: equal colours then give exactly that colour. Where there is
    no source the result is NaN. A higher `power` of the weights leaves the nearest and best of the sources.
    """
    row, x = wp.tid()
    y = first_row + row
    anchor = wp.vec3(wp.nan)
    total = wp.vec3(0.0)
    weight = wp.float32(0.0)
    for k in range(moved.shape[0]):
        source = moved[k, y, x]
        if source[3] > 0.0:
            colour = colour_of(source) - read_grid(casts, k, x, y)
            if weight == 0.0:
                anchor = colour
            trust = wp.pow(source[3], power)
            if tolerance > 0.0:
                away = colour - consensus[y, x]
                trust = trust / (1.0 + wp.dot(away, away) / (tolerance * tolerance))
            total += trust * (colour - anchor)
            weight += trust
    blend_out[y, x] = anchor + total / wp.max(weight, 1.0e-20)


@wp.kernel
def add_detail(
    # In:
    first_row: int,
    wide: wp.array2d[wp.vec3],
    near: wp.array2d[wp.vec3],
    pure: wp.array2d[wp.uint8],
    softness: wp.array2d[float],
    give_back: float,
    # Out:
    blend_out: wp.array2d[wp.vec3],
) -> None:
    """Take the finest band of `near` and all others of `wide`, and give the band back what interpolation took."""
    row, x = wp.tid()
    y = first_row + row
    here = near[y, x]
    total = wp.vec3(0.0)
    around = wp.vec3(0.0)
    weight = wp.float32(0.0)
    for j in range(wp.max(y - 2, 0), wp.min(y + 3, wide.shape[0])):
        for i in range(wp.max(x - 2, 0), wp.min(x + 3, wide.shape[1])):
            # What differs at a silhouette stays there: between pure pixels of two surfaces lie two mixed ones.
            if pure[j, i] >= pure[y, x]:
                share = bell(float(i - x), DETAIL_SIGMA) * bell(float(j - y), DETAIL_SIGMA)
                total += share * (near[j, i] - wide[j, i])
                around += share * (near[j, i] - here)
                weight += share
    blend_out[y, x] = here - total / weight - give_back * softness[y, x] * around / weight
