"""Warp kernels that carry a trace on by one frame, see `kernels`."""

import warp as wp

from .kernels import BACKGROUND, MIN_SUPPORT, Surfaces
from .native import CORNERS

wp.set_module_options({"enable_backward": False})

ADVANCE = (
    f"    const int background = {BACKGROUND};\n    const float min_support = {MIN_SUPPORT}f;\n"
    + CORNERS
    + """
    const int width = target.id.shape[1], height = target.id.shape[0];
    const wp::vec_t<2, float>* const forth = ahead ? near.forward.data : near.backward.data;
    const wp::vec_t<2, float>* const back = ahead ? far.backward.data : far.forward.data;
    const bool starts = trace_in.shape[0] == 0;
#if defined(__CUDA_ARCH__)
    const int end = first + 1;
#else
    const int end = width;
#endif
    for (int column = first; column < end; ++column) {
        const int here = y * width + column, id = target.id.data[here];
        wp::vec_t<4, float> trace((float)column, (float)y, target.depth.data[here], 1.0f);
        if (!starts)
            trace = trace_in.data[here];
        const bool followed = (id != background) & (trace[3] != 0.0f);
        trace_out.data[here] = wp::vec_t<4, float>(trace[0], trace[1], trace[2], 0.0f);
        if (!followed)
            continue;
        // The motion of the surface at a sub-pixel position; a trace that starts is on its own pixel.
        wp::vec_t<2, float> step(0.0f, 0.0f);
        float weight = 0.0f;
        if (starts) {
            step = forth[here];
            weight = 1.0f;
        } else {
            const Corners corners(trace[0], trace[1], width, height);
            for (int corner = 0; corner < 4; ++corner) {
                const int there = corners.at(corner);
                const bool same = corners.has(corner) & (near.id.data[there] == id)
                    & (fabsf(near.depth.data[there] - trace[2]) <= near.tolerance.data[there]);
                const float share = same ? corners.share(corner) : 0.0f;
                step[0] += share * (same ? forth[there][0] : 0.0f);
                step[1] += share * (same ? forth[there][1] : 0.0f);
                weight += share;
            }
            if (weight < min_support)
                continue;
            step[0] /= weight, step[1] /= weight;
        }
        const float x_there = trace[0] + step[0], y_there = trace[1] + step[1];
        if (!in_picture(x_there, y_there, width, height))
            continue;
        // Two surfaces of one object can meet in the four corners. The one whose own motion leads best back is where
        // the point came to; the others are left out by their depth.
        const Corners corners(x_there, y_there, width, height);
        float total_x = 0.0f, total_y = 0.0f, total_depth = 0.0f, total = 0.0f;
#if !defined(__CUDA_ARCH__)
        if (corners.inside) {
            const int place = corners.top * width + corners.left;
            const IntFour ids = ids_of(far.id.data + place, width);
            const Four depths = lanes_of(far.depth.data + place, width), zeros = {};
            const Four upper = *(const Four*)(back + place), lower = *(const Four*)(back + place + width);
            const Four across = __builtin_shufflevector(upper, lower, 0, 2, 4, 6);
            const Four down = __builtin_shufflevector(upper, lower, 1, 3, 5, 7);
            const Four dx = across + step[0], dy = down + step[1];
            const Four errors = (ids == id) ? dx * dx + dy * dy : zeros + 1.0e30f;
            // The least of the first two and of the last two, then of both; the earlier one where they are equal.
            const Four others = __builtin_shufflevector(errors, errors, 1, 0, 3, 2);
            const Four least = others < errors ? others : errors;
            const Four swapped = __builtin_shufflevector(depths, depths, 1, 0, 3, 2);
            const Four nearest = others < errors ? swapped : depths;
            const float depth = least[2] < least[0] ? nearest[2] : nearest[0];
            const IntFour read = same_lanes(ids, depths, lanes_of(far.tolerance.data + place, width), id, depth);
            const float fx = corners.fx, fy = corners.fy;
            const Four wide = {1.0f - fx, fx, 1.0f - fx, fx}, high = {1.0f - fy, 1.0f - fy, fy, fy};
            const Four ws = read ? wide * high : zeros;
            const Four xs = ws * (read ? across : zeros), ys = ws * (read ? down : zeros);
            const Four zs = ws * (read ? depths : zeros);
            const Four xy = __builtin_shufflevector(xs, ys, 0, 2, 4, 6) + __builtin_shufflevector(xs, ys, 1, 3, 5, 7);
            const Four zw = __builtin_shufflevector(zs, ws, 0, 2, 4, 6) + __builtin_shufflevector(zs, ws, 1, 3, 5, 7);
            const Four sums = __builtin_shufflevector(xy, zw, 0, 2, 4, 6) + __builtin_shufflevector(xy, zw, 1, 3, 5, 7);
            total_x = sums[0], total_y = sums[1], total_depth = sums[2], total = sums[3];
        } else
#endif
        {
            float least = 1.0e30f, depth = 0.0f;
            for (int corner = 0; corner < 4; ++corner) {
                const int there = corners.at(corner);
                const float dx = back[there][0] + step[0], dy = back[there][1] + step[1];
                const bool better = corners.has(corner) & (far.id.data[there] == id) & (dx * dx + dy * dy < least);
                least = better ? dx * dx + dy * dy : least;
                depth = better ? far.depth.data[there] : depth;
            }
            for (int corner = 0; corner < 4; ++corner) {
                const int there = corners.at(corner);
                if (!corners.has(corner) || far.id.data[there] != id
                    || !(fabsf(far.depth.data[there] - depth) <= far.tolerance.data[there]))
                    continue;
                const float share = corners.share(corner);
                total_x += share * back[there][0];
                total_y += share * back[there][1];
                total_depth += share * far.depth.data[there];
                total += share;
            }
        }
        const float error_x = total_x / total + step[0], error_y = total_y / total + step[1];
        const float error = error_x * error_x + error_y * error_y;
        if (total >= min_support && error <= max_return_error * max_return_error)
            trace_out.data[here] = wp::vec_t<4, float>(x_there, y_there, total_depth / total, 1.0f);
    }
"""
)


@wp.func_native(ADVANCE)
def advance_row(  # type: ignore[empty-body]
    target: Surfaces,
    near: Surfaces,
    far: Surfaces,
    ahead: bool,
    max_return_error: float,
    trace_in: wp.array2d[wp.vec4],
    first: int,
    y: int,
    trace_out: wp.array2d[wp.vec4],
) -> None:
    """`advance_trace` for a row from column `first` on; on CUDA for that pixel alone."""


@wp.kernel
def advance_trace(
    # In:
    first_row: int,
    target: Surfaces,
    near: Surfaces,
    far: Surfaces,
    ahead: bool,
    max_return_error: float,
    trace_in: wp.array2d[wp.vec4],
    # Out:
    trace_out: wp.array2d[wp.vec4],
) -> None:
    """Carry foreground from frame `near` to its neighbour `far`, unless it is hidden there.

    What cannot be followed keeps its last position with visibility 0, and never comes back. What is followed along
    the edge of something nearer need not be visible: `finish_trace` decides. An empty `trace_in` is the trace of
    the target in itself; `near` is the target then.
    """
    row, x = wp.tid()
    advance_row(target, near, far, ahead, max_return_error, trace_in, x, first_row + row, trace_out)
