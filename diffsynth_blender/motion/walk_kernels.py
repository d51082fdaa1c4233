"""Warp kernel that carries a trace on by one frame and ends a walk: what is visible, and where the background goes.

All in one pass over the frame: what the frame knows around a position is read once.
"""

import warp as wp

from .kernels import Surfaces
from .native import CORNERS
from .native_follow import FOLLOW
from .native_lines import LINES

wp.set_module_options({"enable_backward": False})

FOLDED = wp.constant(0.05)
"""Largest area [px²] in the source of a pixel of the target that is taken for squeezed to nothing.

Composed positions pile up at a rim. Turning over alone finds nothing; with 0.15 too much is lost that can be seen.
"""

LINE = 1008
"""Pixels of a row at a time on a processor, one at either end for its neighbours' sake: three lines are needed at once,
and stay in a near cache. Shorter ones would come back to a page of memory too often."""

CHUNK = 64
"""Pixels of a line whose surroundings are read together."""

WALK = (
    f"""
#if defined(__CUDA_ARCH__)
    const int line_size = 3, chunk_size = 3;
#else
    const int line_size = {LINE}, chunk_size = {CHUNK};
#endif
    const float folded = {FOLDED}f;
    const bool finishes = trace_out.shape[0] != 0, keeps = kept_out.shape[0] != 0;
"""
    + CORNERS
    + FOLLOW
    + LINES
    + """
    // Whether the surface around a pixel has been turned over, or squeezed to nothing, on its way to the source: a
    // point that has gone behind the rim of a ball finds the front of the same ball near its place. By the stretches of
    // `footprint.stretch_along`. Nothing is known of what has no neighbour.
    auto finish_line = [&](const Line& upper, const Line& line, const Line& lower, const int left, const int count,
                           const int row) {
        wp::vec_t<4, float>* const to = trace_out.data + row * width + left - 1;
        for (int i = 1; i < count - 1; ++i) {
            const int id = line.id[i];
            const float depth = line.depth[i], x = line.x[i], y = line.y[i];
            auto is_traced = [&](const Line& other, const int j) {
                return (other.id[j] == id) & (fabsf(other.depth[j] - depth) <= other.tolerance[j]);
            };
            const bool before = is_traced(line, i - 1), after = is_traced(line, i + 1);
            const bool above = is_traced(upper, i), below = is_traced(lower, i);
            const float share_across = (before & after) ? 0.5f : 1.0f, share_down = (above & below) ? 0.5f : 1.0f;
            const float across_x = ((after ? line.x[i + 1] : x) - (before ? line.x[i - 1] : x)) * share_across;
            const float across_y = ((after ? line.y[i + 1] : y) - (before ? line.y[i - 1] : y)) * share_across;
            const float down_x = ((below ? lower.x[i] : x) - (above ? upper.x[i] : x)) * share_down;
            const float down_y = ((below ? lower.y[i] : y) - (above ? upper.y[i] : y)) * share_down;
            const bool is_folded = (id != background) & (before | after) & (above | below)
                & (across_x * down_y - across_y * down_x <= folded);
            to[i] = wp::vec_t<4, float>(x, y, line.z[i], is_folded ? 0.0f : line.seen[i]);
        }
    };
    const int end_column = line_size == 3 ? first + 1 : width, end_row = first_row + row_count;
    const int beyond = finishes ? 1 : 0;
    Line lines[3];
    for (int left = first; left < end_column; left += line_size - 2) {
        const int count = left + line_size - 2 < end_column ? line_size : end_column - left + 2;
        for (int row = first_row - beyond; row < end_row + beyond; ++row) {
            Line& line = lines[(row + 3) % 3];
            read_line(line, left, count, row, keeps && row >= first_row && row < end_row);
            if (finishes && row > first_row)
                finish_line(lines[(row + 1) % 3], lines[(row + 2) % 3], line, left, count, row - 1);
        }
    }
"""
)


@wp.func_native(WALK)
def walk_rows(  # type: ignore[empty-body]
    target: Surfaces,
    near: Surfaces,
    far: Surfaces,
    steps: bool,
    ahead: bool,
    max_return_error: float,
    homography: wp.mat33d,
    trace_in: wp.array2d[wp.vec4],
    first: int,
    first_row: int,
    row_count: int,
    trace_out: wp.array2d[wp.vec4],
    kept_out: wp.array2d[wp.vec4],
) -> None:
    """`walk` for some rows from column `first` on; on CUDA for that pixel alone."""


@wp.kernel
def walk(
    # In:
    first_row: int,
    row_count: int,
    target: Surfaces,
    near: Surfaces,
    far: Surfaces,
    steps: bool,
    ahead: bool,
    max_return_error: float,
    homography: wp.mat33d,
    trace_in: wp.array2d[wp.vec4],
    # Out:
    trace_out: wp.array2d[wp.vec4],
    kept_out: wp.array2d[wp.vec4],
) -> None:
    """Carry foreground from frame `near` to its neighbour `far`, unless it is hidden there, and finish the trace.

    An empty `trace_in` is the trace of the target in itself; `near` is the target then. Without `steps` the trace is
    in `far` already. What cannot be followed keeps its last position with visibility 0, and never comes back.

    Args:
        first_row: of the rows to be done.
        row_count: rows to be done.
        target: the frame whose pixels are traced.
        near: the frame that the trace is in.
        far: the frame that it is carried to.
        steps: whether it is carried on.
        ahead: whether `far` is the later frame.
        max_return_error: as `composition.MAX_RETURN_ERROR`.
        homography: where the background goes in `far`.
        trace_in: the trace in `near`.
        trace_out: the trace in `far` with what is visible there and with the background; empty: not wanted.
        kept_out: the same before that, to be carried on: what is followed along the edge of something nearer need
            not be visible. Empty: not wanted.
    """
    row, x = wp.tid()
    y = first_row + row
    walk_rows(
        target, near, far, steps, ahead, max_return_error, homography, trace_in, x, y, row_count, trace_out, kept_out
    )
