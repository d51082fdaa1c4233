"""Warp kernel that finishes a trace: what of it is visible, and where the background goes."""

import warp as wp

from .kernels import BACKGROUND, FRONT_WEIGHT, MIN_SUPPORT, Surfaces
from .native import CORNERS

wp.set_module_options({"enable_backward": False})

FOLDED = wp.constant(0.05)
"""Largest area [px²] in the source of a pixel of the target that is taken for squeezed to nothing.

Composed positions pile up at a rim. Turning over alone finds nothing; with 0.15 too much is lost that can be seen.
"""

FINISH = (
    f"""
    const int background = {BACKGROUND};
    const float min_support = {MIN_SUPPORT}f, front_weight = {FRONT_WEIGHT}f, folded = {FOLDED}f;
"""
    + CORNERS
    + """
    const int width = target.id.shape[1], height = target.id.shape[0];
    const wp::vec_t<4, float>* const traces = trace_in.data;
    // `kernels.is_seen`. Nearly always all four corners show the surface, and their weights do not matter.
    auto is_seen = [&](const float x, const float y, const int id, const float depth) {
        const Corners corners(x, y, width, height);
        auto shows = [&](const int there) {
            return (source.id.data[there] == id) & ((id == background)
                | (fabsf(source.depth.data[there] - depth) <= source.tolerance.data[there]));
        };
#if !defined(__CUDA_ARCH__)
        if (corners.inside) {
            const int place = corners.top * width + corners.left;
            const IntFour ids = ids_of(source.id.data + place, width);
            IntFour same = ids == background;
            if (id != background)
                same = same_lanes(ids, lanes_of(source.depth.data + place, width),
                                  lanes_of(source.tolerance.data + place, width), id, depth);
            if (__builtin_reduce_and(same) != 0)
                return true;
        }
#endif
        float for_it = 0.0f, against = 0.0f;
        for (int corner = 0; corner < 4; ++corner)
            if (corners.has(corner)) {
                if (shows(corners.at(corner)))
                    for_it += corners.share(corner);
                else if (id == background || source.depth.data[corners.at(corner)] < depth)
                    against += corners.share(corner);
            }
        return for_it >= min_support && for_it >= front_weight * against;
    };
    // `footprint.stretch_along`, without knowing whether a neighbour is inside the picture.
    auto stretch = [&](const int here, const int id, const float depth, const bool has_last, const bool has_first,
                       const int offset, float& x, float& y) {
        auto is_traced = [&](const int there) {
            return (traces[there][3] > 0.0f) & (target.id.data[there] == id)
                & (fabsf(target.depth.data[there] - depth) <= target.tolerance.data[there]);
        };
        const bool before = has_first && is_traced(here - offset), after = has_last && is_traced(here + offset);
        const wp::vec_t<4, float>& first = traces[before ? here - offset : here];
        const wp::vec_t<4, float>& last = traces[after ? here + offset : here];
        const float share = before && after ? 0.5f : 1.0f;
        x = (last[0] - first[0]) * share, y = (last[1] - first[1]) * share;
        return before | after;
    };
    // Whether the surface around a pixel has been turned over, or squeezed to nothing, on its way to the source: a
    // point that has gone behind the rim of a ball finds the front of the same ball near its place.
    auto is_folded = [&](const int here, const int column, const int id) {
        const float depth = target.depth.data[here];
        float across_x, across_y, down_x, down_y;
        return stretch(here, id, depth, column + 1 < width, column > 0, 1, across_x, across_y)
            && stretch(here, id, depth, y + 1 < height, y > 0, width, down_x, down_y)
            && across_x * down_y - across_y * down_x <= folded;
    };
#if defined(__CUDA_ARCH__)
    const int end = first + 1;
#else
    const int end = width;
#endif
    for (int column = first; column < end; ++column) {
        const int here = y * width + column, id = target.id.data[here];
        wp::vec_t<4, float> trace = traces[here];
        if (id == background) {
            const double u = (double)column, v = (double)y;
            const auto& matrix = homography.data;
            const double w = matrix[2][0] * u + matrix[2][1] * v + matrix[2][2];
            trace = wp::vec_t<4, float>((float)column, (float)y, target.depth.data[here], 0.0f);
            if (w > 1.0e-9) {
                const double each = 1.0 / w;
                trace[0] = (float)((matrix[0][0] * u + matrix[0][1] * v + matrix[0][2]) * each);
                trace[1] = (float)((matrix[1][0] * u + matrix[1][1] * v + matrix[1][2]) * each);
                trace[3] = 1.0f;
            }
        }
        const bool visible = trace[3] > 0.0f && in_picture(trace[0], trace[1], width, height)
            && is_seen(trace[0], trace[1], id, trace[2]) && (id == background || !is_folded(here, column, id));
        trace_out.data[here] = wp::vec_t<4, float>(trace[0], trace[1], trace[2], visible ? 1.0f : 0.0f);
    }
"""
)


@wp.func_native(FINISH)
def finish_row(  # type: ignore[empty-body]
    target: Surfaces,
    source: Surfaces,
    homography: wp.mat33d,
    trace_in: wp.array2d[wp.vec4],
    first: int,
    y: int,
    trace_out: wp.array2d[wp.vec4],
) -> None:
    """`finish_trace` for a row from column `first` on; on CUDA for that pixel alone."""


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
    finish_row(target, source, homography, trace_in, x, first_row + row, trace_out)
