"""Where a run of pixels starts at a level, in C++; see `start.start_level`."""

from .native import PATCH_ERROR
from .native_run import PLACES, RUN_SIZE, SCRAMBLE

ENLARGE = """
    const bool masked = pair.source_mask.shape[0] != 0;
    const float last_x = (float)(pair.source_width - 1), last_y = (float)(pair.source_height - 1);
    struct Position {
        float x, y;
    };
    const Position none = {NAN, NAN};
    // `carried`.
    auto carry = [](const float position, const int old_side, const int new_side) {
        return old_side == new_side ? position : (position + 0.5f) * (float)new_side / (float)old_side - 0.5f;
    };
    auto containing_pixel = [](const int position, const int side, const int coarse_side) {
        const int coarse = (2 * position + 1) * coarse_side / (2 * side);
        return coarse < coarse_side - 1 ? coarse : coarse_side - 1;
    };
    auto clamp_to = [](const float position, const float last) {
        return position < 0.0f ? 0.0f : position > last ? last : position;
    };
    auto nearest = [&](const Position at) {
        return Position{clamp_to(floorf(at.x + 0.5f), last_x), clamp_to(floorf(at.y + 0.5f), last_y)};
    };
    auto is_in_source = [&](const Position at) {
        return (at.x >= 0.0f) & (at.y >= 0.0f) & (at.x <= last_x) & (at.y <= last_y);
    };
    // Whether all source pixels that a position reads may be matched to.
    auto is_allowed = [&](const int batch, const Position at) {
        if (!is_in_source(at))
            return false;
        if (!masked)
            return true;
        const wp::uint8* const mask = pair.source_mask.data + batch * pair.source_height * pair.source_width;
        const int left = (int)floorf(at.x), right = (int)ceilf(at.x);
        const int upper = (int)floorf(at.y) * pair.source_width, lower = (int)ceilf(at.y) * pair.source_width;
        return mask[upper + left] != 0 && mask[upper + right] != 0 && mask[lower + left] != 0
            && mask[lower + right] != 0;
    };
    // An allowed source pixel among those that a coarse pixel covers.
    auto allowed_within = [&](const int batch, const Position coarse) {
        const float left = carry(coarse.x - 0.5f, coarse_source_size[1], pair.source_width) + 0.5f;
        const float right = carry(coarse.x + 0.5f, coarse_source_size[1], pair.source_width) + 0.5f;
        const float top = carry(coarse.y - 0.5f, coarse_source_size[0], pair.source_height) + 0.5f;
        const float bottom = carry(coarse.y + 0.5f, coarse_source_size[0], pair.source_height) + 0.5f;
        for (int sy = (int)top; sy < (int)ceilf(bottom); ++sy)
            for (int sx = (int)left; sx < (int)ceilf(right); ++sx)
                if (is_allowed(batch, {(float)sx, (float)sy}))
                    return Position{(float)sx, (float)sy};
        return none;
    };
    // What the coarse pixel that contains a pixel has found, carried to this level and made an allowed pixel.
    auto enlarged = [&](const int batch, const int x, const int y) {
        const int coarse_x = containing_pixel(x, pair.width, coarse_size[1]);
        const int coarse_y = containing_pixel(y, pair.height, coarse_size[0]);
        const auto& found = coarse_nnf.data[(batch * coarse_size[0] + coarse_y) * coarse_size[1] + coarse_x];
        const Position coarse = {found[0], found[1]};
        if (!(coarse.x >= 0.0f))
            return none;
        const float offset_x = (float)x - carry((float)coarse_x, coarse_size[1], pair.width);
        const float offset_y = (float)y - carry((float)coarse_y, coarse_size[0], pair.height);
        const Position at = nearest({carry(coarse.x, coarse_source_size[1], pair.source_width) + offset_x,
                                     carry(coarse.y, coarse_source_size[0], pair.source_height) + offset_y});
        return is_allowed(batch, at) ? at : allowed_within(batch, coarse);
    };
"""
"""Expects `pair`, `coarse_nnf`, `coarse_size` and `coarse_source_size`."""

START = (
    RUN_SIZE
    + SCRAMBLE
    + PATCH_ERROR
    + PLACES
    + ENLARGE
    + """
    const bool has_coarse = coarse_size[0] > 0;
    // The first allowed source pixel from a random place on.
    auto random_allowed = [&](const int batch, const wp::uint32 value) {
        const int count = pair.source_height * pair.source_width;
        int place = (int)(value % (wp::uint32)count);
        for (int n = 0; n < count; ++n) {
            const Position at = {(float)(place % pair.source_width), (float)(place / pair.source_width)};
            if (is_allowed(batch, at))
                return at;
            place = (place + 1) % count;
        }
        return none;
    };
    for (int i = 0; i < found; ++i) {
        const int x = xs[i], y = ys[i], batch = batches[i], here = rows[i] * width + x;
        const bool inner = is_inner(x, y);
        const float across = carry((float)x, width, pair.source_width);
        const float down = carry((float)y, height, pair.source_height);
        Position candidates[3] = {none, nearest({across, down}), none};
        if (has_initial) {
            const Position initial = {donors_in.data[here][0], donors_in.data[here][1]};
            // Rounding would make a pixel out of NaN.
            candidates[0] = round_initial && is_in_source(initial) ? nearest(initial) : initial;
        }
        candidates[2] = has_coarse ? enlarged(batch, x, y) : random_allowed(batch, pixel_key(key, x, y));
        Position best = none;
        float best_error = no_match;
        for (int k = has_initial ? 0 : 1; k < 3; ++k) {
            const Position at = candidates[k];
            if (!is_allowed(batch, at) || ((at.x == best.x) & (at.y == best.y)))
                continue;
            const int sx = (int)at.x, sy = (int)at.y;
            const float fx = at.x - (float)sx, fy = at.y - (float)sy;
            const float error = fx > 0.0f || fy > 0.0f ? clipped_error(batch, x, y, sx, sy, fx, fy, best_error)
                : whole_error(inner, batch, x, y, sx, sy, best_error);
            if (error < best_error)
                best = at, best_error = error;
        }
        nnf_out.data[here] = wp::vec_t<2, float>(best.x, best.y);
        error_out.data[here] = best_error;
    }
"""
)
