"""Positions to fractions of a pixel: a few Gauss-Newton steps on the patch error.

Inverse compositional: the gradients are the target's and stay the same from step to step.
Baker and Matthews, "Lucas-Kanade 20 years on", 2004, section 3.2.
"""

import warp as wp

from .kernels import CHUNK, searched_pixel
from .patch import NO_MATCH, Pair, allowed, patch_error

wp.set_module_options({"enable_backward": False})

STEPS = 2
"""Gauss-Newton steps at most: a third one brought 4 % less distance to the truth for 10 % more time."""


@wp.func_native(
    """
    const float* t = reinterpret_cast<const float*>(&target.data[target_start]);
    const float* s = reinterpret_cast<const float*>(&source.data[source_start]);
    const float upper_left = (1.0f - fx) * (1.0f - fy), upper_right = fx * (1.0f - fy);
    const float lower_left = (1.0f - fx) * fy, lower_right = fx * fy;
    float sums[5][4] = {{0.0f}};
    for (int j = 0; j < rows; ++j, t += 4 * target_pitch, s += 4 * source_pitch) {
        for (int i = 0; i < length; ++i) {
            const float* here = s + 4 * i;
            const float* own = t + 4 * i;
            for (int k = 0; k < 4; ++k) {
                const float read = upper_left * here[k] + upper_right * here[4 * right + k]
                    + lower_left * here[4 * below + k] + lower_right * here[4 * (below + right) + k];
                const float lack = own[k] - read;
                const float across = 0.5f * (own[k + 4 * groups] - own[k - 4 * groups]);
                const float down = 0.5f * (own[k + 4 * target_pitch] - own[k - 4 * target_pitch]);
                sums[0][k] += across * across;
                sums[1][k] += across * down;
                sums[2][k] += down * down;
                sums[3][k] += across * lack;
                sums[4][k] += down * lack;
            }
        }
    }
    wp::vec_t<6, float> result;
    for (int n = 0; n < 5; ++n)
        result[n] = (sums[n][0] + sums[n][1]) + (sums[n][2] + sums[n][3]);
    return result;
    """
)
def rows_step_sums(  # type: ignore[empty-body]
    target: wp.array2d[wp.vec4],
    source: wp.array2d[wp.vec4],
    target_start: int,
    source_start: int,
    target_pitch: int,
    source_pitch: int,
    right: int,
    below: int,
    fx: float,
    fy: float,
    rows: int,
    length: int,
    groups: int,
) -> wp.spatial_vector:
    """Sums over a patch for a step of the source position: gx gx, gx gy, gy gy, gx d, gy d.

    g is the target's gradient, d target minus source, read bilinearly: `fx` of the way to the pixel `right` and `fy` to
    that `below`. The last of the six is 0: Warp has a name for vectors of six, none for five.
    """


@wp.func
def step_sums(pair: Pair, batch: int, x: int, y: int, position: wp.vec2) -> wp.spatial_vector:
    """Sums for a step from `position`, over the pixels of the patch whose neighbours exist."""
    sx = int(wp.floor(position[0]))
    sy = int(wp.floor(position[1]))
    fx = position[0] - float(sx)
    fy = position[1] - float(sy)
    beyond_x = wp.where(fx > 0.0, 1, 0)
    beyond_y = wp.where(fy > 0.0, 1, 0)
    top = wp.max(-pair.radius, wp.max(1 - y, -sy))
    bottom = wp.min(pair.radius, wp.min(pair.height - 2 - y, pair.source_height - 1 - beyond_y - sy))
    left = wp.max(-pair.radius, wp.max(1 - x, -sx))
    right = wp.min(pair.radius, wp.min(pair.width - 2 - x, pair.source_width - 1 - beyond_x - sx))
    target_pitch = pair.width * pair.groups
    source_pitch = pair.source_width * pair.groups
    return rows_step_sums(
        pair.target,
        pair.source,
        (batch * pair.height + y + top) * target_pitch + (x + left) * pair.groups,
        (batch * pair.source_height + sy + top) * source_pitch + (sx + left) * pair.groups,
        target_pitch,
        source_pitch,
        beyond_x * pair.groups,
        beyond_y * source_pitch,
        fx,
        fy,
        bottom - top + 1,
        (right - left + 1) * pair.groups,
        pair.groups,
    )


@wp.func
def solved(sums: wp.spatial_vector) -> wp.vec2:
    """The step, at most a pixel each way; damped, so that along an edge or in a flat patch it is short, not wild."""
    damping = 1.0e-3 * (sums[0] + sums[2]) + 1.0e-12
    xx = sums[0] + damping
    yy = sums[2] + damping
    determinant = xx * yy - sums[1] * sums[1]
    dx = (yy * sums[3] - sums[1] * sums[4]) / determinant
    dy = (xx * sums[4] - sums[1] * sums[3]) / determinant
    return wp.vec2(wp.clamp(dx, -1.0, 1.0), wp.clamp(dy, -1.0, 1.0))


@wp.kernel
def refine(
    # In:
    first_row: int,
    pair: Pair,
    steps: int,
    nnf_in: wp.array2d[wp.vec2],
    error_in: wp.array2d[float],
    # Out:
    nnf_out: wp.array2d[wp.vec2],
    error_out: wp.array2d[float],
) -> None:
    """Take up to `steps` steps, as long as the error falls."""
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
    falling = wp.bool(True)
    for _step in range(steps):
        if falling and best_error > 0.0 and best[0] >= 0.0:
            candidate = best + solved(step_sums(pair, batch, x, y, best))
            error = NO_MATCH
            if allowed(pair, batch, candidate):
                error = patch_error(pair, batch, x, y, candidate, best_error)
            falling = error < best_error
            if falling:
                best = candidate
                best_error = error
    nnf_out[row, x] = best
    error_out[row, x] = best_error
