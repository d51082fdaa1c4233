"""Warp kernel that finishes a trace: what of it is visible, and where the background goes."""

import warp as wp

from .footprint import stretch_along
from .kernels import BACKGROUND, Surfaces, in_picture, is_seen, shape_of

wp.set_module_options({"enable_backward": False})

FOLDED = wp.constant(0.05)
"""Largest area [px²] in the source of a pixel of the target that is taken for squeezed to nothing.

Composed positions pile up at a rim. Turning over alone finds nothing; with 0.15 too much is lost that can be seen.
"""


@wp.func
def is_folded(trace_in: wp.array2d[wp.vec4], target: Surfaces, x: int, y: int) -> bool:
    """Whether the surface around a pixel has been turned over, or squeezed to nothing, on its way to the source.

    A point that has gone behind the rim of a ball finds the front of the same ball near its place.
    """
    across = stretch_along(trace_in, target, x, y, 1, 0)
    down = stretch_along(trace_in, target, x, y, 0, 1)
    if across[2] == 0.0 or down[2] == 0.0:
        return False
    return across[0] * down[1] - across[1] * down[0] <= FOLDED


@wp.kernel
def finish_trace(
    # In:
    first_row: int,
    target: Surfaces,
    source: Surfaces,
    homography: wp.mat33d,
    trace_in: wp.array2d[wp.vec4],
    # Out:
    trace_out: wp.array2d[wp.vec4],
) -> None:
    """See which of the points that could be followed are visible, and fill in the background, by cameras alone."""
    row, x = wp.tid()
    y = first_row + row
    trace = trace_in[y, x]
    id = target.id[y, x]
    if id == BACKGROUND:
        trace = wp.vec4(float(x), float(y), target.depth[y, x], 0.0)
        there = homography * wp.vec3d(wp.float64(x), wp.float64(y), wp.float64(1.0))
        if there[2] > wp.float64(1.0e-9):
            trace = wp.vec4(float(there[0] / there[2]), float(there[1] / there[2]), trace[2], 1.0)
    visible = wp.float32(0.0)
    if trace[3] > 0.0 and in_picture(trace[0], trace[1], shape_of(source)):
        if is_seen(source, trace[0], trace[1], id, trace[2]):
            if id == BACKGROUND or not is_folded(trace_in, target, x, y):
                visible = 1.0
    trace_out[y, x] = wp.vec4(trace[0], trace[1], trace[2], visible)
