"""Propagation in C++, for a run of pixels: each tries where it would lie if it had moved as a neighbour.

In phases, each over the whole run: who suggests what, which is arithmetic on many pixels at a time; the errors of what
was suggested; the best. One pixel after the other took 1.4 times as long: how many suggestions a pixel has and which is
better are guesses that a processor gets wrong.

A neighbour that has not moved since the last round suggests what was tried then, and a pixel's error has not risen
since: leaving it out changes nothing.
"""

NEAR = 0.125
"""A position this near to the best [px] is no candidate: neighbours of a smooth initial field all differ by a little,
and trying them doubled the time of a match; the sub-pixel steps go there by themselves."""

PROPAGATE = (
    f"    const float near = {NEAR}f;\n"
    + """
    const wp::vec_t<2, float>* const field = nnf_in.data;
    const bool masked = pair.source_mask.shape[0] != 0;
    const int last_x = pair.source_width - 1, last_y = pair.source_height - 1;
    float best_xs[run], best_ys[run], best_errors[run];
    // Pixels where patches begin, of the target, and of the source around pixel 0.
    int heres[run], inner[run], own_patches[run], source_starts[run], moved[run];
    for (int i = 0; i < run; ++i) {
        heres[i] = rows[i] * width + xs[i], inner[i] = is_inner(xs[i], ys[i]), moved[i] = 0;
        own_patches[i] = heres[i] - radius * width - radius;
        source_starts[i] = (batches[i] * pair.source_height - radius) * pair.source_width - radius;
    }
    auto is_near = [&](const int i, const float at_x, const float at_y) {
        return (fabsf(at_x - best_xs[i]) < near) & (fabsf(at_y - best_ys[i]) < near);
    };
    auto may_read = [&](const int i, const int sx, const int sy) {
        return pair.source_mask.data[(batches[i] * pair.source_height + sy) * pair.source_width + sx] != 0;
    };
    // What is suggested to whom. `patches` is where a whole patch begins in the source, -1 where it needs more care.
    float at_xs[4 * run + 1], at_ys[4 * run + 1], errors[4 * run];
    int owners[4 * run + 1], patches[4 * run + 1], suggestions = 0;
    auto suggest = [&](const int dx, const int dy, const auto pixel_at) ALWAYS_INLINE {
        float near_xs[run], near_ys[run];
        int wanted[run], near_patches[run];
        for (int i = 0; i < run; ++i) {
            const bool exists = dx < 0 ? xs[i] > 0 : dx > 0 ? xs[i] + 1 < width
                : dy < 0 ? ys[i] > 0 : ys[i] + 1 < height;
            const int there = pixel_at(i, exists, dy * width + dx);
            const float at_x = field[there][0] - (float)dx, at_y = field[there][1] - (float)dy;
            // False for NaN, too.
            const bool in_source = (at_x >= 0.0f) & (at_y >= 0.0f) & (at_x <= (float)last_x) & (at_y <= (float)last_y);
            // Nothing is better than 0: what stands still in a film costs nothing.
            const bool want = exists & in_source & (best_errors[i] > 0.0f) & (moved_in.data[there] != 0)
                & !is_near(i, at_x, at_y);
            const float x = want ? at_x : 0.0f, y = want ? at_y : 0.0f;
            const int sx = (int)x, sy = (int)y;
            const bool whole = (inner[i] != 0) & is_inner_source(sx, sy) & ((float)sx == x) & ((float)sy == y);
            near_xs[i] = x, near_ys[i] = y, wanted[i] = want;
            near_patches[i] = whole && !masked ? source_starts[i] + sy * pair.source_width + sx : -1;
        }
        for (int i = 0; i < run; ++i) {
            at_xs[suggestions] = near_xs[i], at_ys[suggestions] = near_ys[i];
            patches[suggestions] = near_patches[i], owners[suggestions] = i;
            suggestions += wanted[i];
        }
    };
    auto read_run = [&](const auto pixel_at) ALWAYS_INLINE {
        for (int i = 0; i < run; ++i) {
            const int here = pixel_at(i, true, 0);
            best_xs[i] = field[here][0], best_ys[i] = field[here][1];
            best_errors[i] = i < found ? error_in.data[here] : 0.0f;
        }
        suggest(0, -1, pixel_at);
        suggest(-1, 0, pixel_at);
        suggest(0, 1, pixel_at);
        suggest(1, 0, pixel_at);
    };
    // Nearly always a run and its neighbours lie side by side in memory.
    if (found == run && pair.pixels.shape[0] == 0 && first >= width && first + run + width <= pair.pixel_count)
        read_run([&](const int i, const bool, const int step) ALWAYS_INLINE { return first + i + step; });
    else
        read_run([&](const int i, const bool exists, const int step) ALWAYS_INLINE {
            return exists ? heres[i] + step : heres[i];
        });
    of_patch([&](const int side, const int length) ALWAYS_INLINE {
        for (int k = 0; k < suggestions; ++k) {
            const int i = owners[k];
            if (patches[k] >= 0) {
                const float total = sum(target + 4ll * groups * own_patches[i], source + 4ll * groups * patches[k],
                                        side, length, best_errors[i] * side_count);
                errors[k] = total / side_count;
                continue;
            }
            const int sx = (int)at_xs[k], sy = (int)at_ys[k];
            const float fx = at_xs[k] - (float)sx, fy = at_ys[k] - (float)sy;
            const bool allowed = !masked || (may_read(i, sx, sy) && may_read(i, sx + (fx > 0.0f), sy)
                && may_read(i, sx, sy + (fy > 0.0f)) && may_read(i, sx + (fx > 0.0f), sy + (fy > 0.0f)));
            errors[k] = allowed ? clipped_error(batches[i], xs[i], ys[i], sx, sy, fx, fy, best_errors[i]) : no_match;
        }
    });
    for (int k = 0; k < suggestions; ++k) {
        const int i = owners[k];
        const bool between = (at_xs[k] != (float)(int)at_xs[k]) | (at_ys[k] != (float)(int)at_ys[k]);
        const bool better = (errors[k] < best_errors[i]) & !(between & is_near(i, at_xs[k], at_ys[k]));
        best_xs[i] = better ? at_xs[k] : best_xs[i], best_ys[i] = better ? at_ys[k] : best_ys[i];
        best_errors[i] = better ? errors[k] : best_errors[i];
        moved[i] |= better;
    }
"""
)
"""Expects `native.PATCH_ERROR`, `native_run.PLACES` and the arguments of `kernels.improve_run`; defines the best that
pixels have found, `best_xs`, `best_ys` and `best_errors`, and whether they have `moved`."""
