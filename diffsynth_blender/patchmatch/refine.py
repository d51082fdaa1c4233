"""Positions to fractions of a pixel: a few Gauss-Newton steps on the patch error.

Inverse compositional: the gradients are the target's and stay the same from step to step.
Baker and Matthews, "Lucas-Kanade 20 years on", 2004, section 3.2.
"""

import warp as wp

from .kernels import CHUNK, searched_pixel
from .patch import Pair, allowed, between, patch_error

wp.set_module_options({"enable_backward": False})

STEPS = wp.constant(3)
"""Gauss-Newton steps at most."""


@wp.struct
class Normal:
    """Normal equations of a step (dx, dy): [xx xy; xy yy] (dx, dy) = (x, y)."""

    xx: float
    xy: float
    yy: float
    x: float
    y: float


@wp.func
def normal_equations(pair: Pair, batch: int, x: int, y: int, position: wp.vec2) -> Normal:
    """Sum the gradients of the target's patch, and their products with what the source lacks at `position`."""
    sx = int(wp.floor(position[0]))
    sy = int(wp.floor(position[1]))
    fx = position[0] - float(sx)
    fy = position[1] - float(sy)
    beyond_x = wp.where(fx > 0.0, 1, 0)
    beyond_y = wp.where(fy > 0.0, 1, 0)
    sums = Normal()
    groups = pair.groups
    for j in range(
        wp.max(-pair.radius, wp.max(-y, -sy)),
        wp.min(pair.radius, wp.min(pair.height - 1 - y, pair.source_height - 1 - beyond_y - sy)) + 1,
    ):
        row = batch * pair.height + y + j
        # One-sided at the border, where it is half of what it should be: a shorter step, not a wrong one.
        above = row - wp.min(y + j, 1)
        below = row + wp.min(pair.height - 1 - y - j, 1)
        source_row = batch * pair.source_height + sy + j
        for i in range(
            wp.max(-pair.radius, wp.max(-x, -sx)),
            wp.min(pair.radius, wp.min(pair.width - 1 - x, pair.source_width - 1 - beyond_x - sx)) + 1,
        ):
            left = wp.max(x + i - 1, 0) * groups
            right = wp.min(x + i + 1, pair.width - 1) * groups
            here = (x + i) * groups
            for g in range(groups):
                read = between(pair.source, source_row, (sx + i) * groups + g, beyond_y, beyond_x * groups, fx, fy)
                across = 0.5 * (pair.target[row, right + g] - pair.target[row, left + g])
                down = 0.5 * (pair.target[below, here + g] - pair.target[above, here + g])
                lack = pair.target[row, here + g] - read
                sums.xx += wp.dot(across, across)
                sums.xy += wp.dot(across, down)
                sums.yy += wp.dot(down, down)
                sums.x += wp.dot(across, lack)
                sums.y += wp.dot(down, lack)
    return sums


@wp.func
def solved(sums: Normal) -> wp.vec2:
    """The step, at most a pixel each way; damped, so that along an edge or in a flat patch it is short, not wild."""
    damping = 1.0e-3 * (sums.xx + sums.yy) + 1.0e-12
    xx = sums.xx + damping
    yy = sums.yy + damping
    determinant = xx * yy - sums.xy * sums.xy
    dx = (yy * sums.x - sums.xy * sums.y) / determinant
    dy = (xx * sums.y - sums.xy * sums.x) / determinant
    return wp.vec2(wp.clamp(dx, -1.0, 1.0), wp.clamp(dy, -1.0, 1.0))


@wp.kernel
def refine(
    # In:
    first_row: int,
    pair: Pair,
    nnf_in: wp.array2d[wp.vec2],
    error_in: wp.array2d[float],
    # Out:
    nnf_out: wp.array2d[wp.vec2],
    error_out: wp.array2d[float],
) -> None:
    """Step as long as the error falls."""
    chunk, place = wp.tid()
    pixel = searched_pixel(pair, (first_row + chunk) * CHUNK + place)
    if pixel < 0:
        return
    row = pixel // pair.width
    x = pixel - row * pair.width
    batch = row // pair.height
    y = row - batch * pair.height
    best = nnf_in[row, x]
    best_error = error_in[row, x]
    for _step in range(STEPS):
        candidate = wp.vec2(-1.0, -1.0)
        if best_error > 0.0 and best[0] >= 0.0:
            candidate = best + solved(normal_equations(pair, batch, x, y, best))
        if allowed(pair, batch, candidate):
            error = patch_error(pair, batch, x, y, candidate, best_error)
            if error < best_error:
                best = candidate
                best_error = error
    nnf_out[row, x] = best
    error_out[row, x] = best_error
