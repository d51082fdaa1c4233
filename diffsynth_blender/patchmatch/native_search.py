"""Random search in C++, for a run of pixels, and with propagation before it the whole of `kernels.improve`.

In phases, too. A candidate is drawn around the best before it, but nearly always none of the first three is better:
they are all measured around the first best, and only where one is better those behind it are drawn anew.
"""

from .native import PATCH_ERROR
from .native_propagate import PROPAGATE
from .native_run import PLACES, RUN_SIZE, SCRAMBLE

DRAW = """
    wp::uint32 random[run];
    for (int i = 0; i < run; ++i)
        random[i] = pixel_key(key, xs[i], ys[i]);
    auto draw = [&](const int i, const int k, int& step_x, int& step_y) ALWAYS_INLINE {
        const int most = (reach >> k) > 1 ? reach >> k : 1;
        const wp::uint32 span = (wp::uint32)(2 * most + 1), value = scramble(random[i] + (wp::uint32)k);
        step_x = (int)(((value & 65535u) * span) >> 16) - most;
        step_y = (int)(((value >> 16) * span) >> 16) - most;
    };
    // Pixels around a best that is NaN do not exist.
    auto base_of = [](const float best) { return (int)(best >= 0.0f ? best + 0.5f : 0.0f); };
    // How many candidates of a pixel have been tried.
    int tried[run];
    for (int i = 0; i < run; ++i)
        tried[i] = best_errors[i] > 0.0f ? 0 : search_count;
"""

FIRST_THREE = """
#if !defined(__CUDA_ARCH__)
    if (!masked && search_count >= 3) {
        int steps_x[3][run], steps_y[3][run], places[3][run], fit[run];
        float totals[run][4];
        for (int i = 0; i < run; ++i)
            fit[i] = (inner[i] != 0) & (tried[i] == 0);
        for (int n = 0; n < 3; ++n)
            for (int i = 0; i < run; ++i) {
                draw(i, n, steps_x[n][i], steps_y[n][i]);
                const int sx = base_of(best_xs[i]) + steps_x[n][i], sy = base_of(best_ys[i]) + steps_y[n][i];
                fit[i] &= is_inner_source(sx, sy);
                places[n][i] = source_starts[i] + sy * pair.source_width + sx;
            }
        of_patch([&](const int side, const int length) ALWAYS_INLINE {
            for (int i = 0; i < run; ++i) {
                if (!fit[i])
                    continue;
                const float* starts[3];
                for (int n = 0; n < 3; ++n)
                    starts[n] = source + 4ll * groups * places[n][i];
                sum_three(target + 4ll * groups * own_patches[i], starts, side, length, totals[i]);
            }
        });
        for (int i = 0; i < run; ++i) {
            const int base_x = base_of(best_xs[i]), base_y = base_of(best_ys[i]);
            float x = best_xs[i], y = best_ys[i], error = best_errors[i];
            int next = 3;
            // Backwards: the first that is better counts.
            for (int n = 2; n >= 0; --n) {
                const float at_x = (float)(base_x + steps_x[n][i]), at_y = (float)(base_y + steps_y[n][i]);
                const float candidate_error = totals[i][n] / side_count;
                const bool better = (candidate_error < best_errors[i]) & !is_near(i, at_x, at_y);
                x = better ? at_x : x, y = better ? at_y : y, error = better ? candidate_error : error;
                next = better ? n + 1 : next;
            }
            moved[i] |= (fit[i] != 0) & (error < best_errors[i]);
            best_xs[i] = fit[i] ? x : best_xs[i], best_ys[i] = fit[i] ? y : best_ys[i];
            best_errors[i] = fit[i] ? error : best_errors[i], tried[i] = fit[i] ? next : tried[i];
        }
    }
#endif
"""

OTHERS = """
    for (int n = 0; n < search_count; ++n) {
        int searched[run + 1], searches = 0;
        for (int i = 0; i < run; ++i) {
            searched[searches] = i;
            searches += tried[i] <= n;
        }
        for (int k = 0; k < searches; ++k) {
            const int i = searched[k];
            int step_x, step_y;
            draw(i, n, step_x, step_y);
            int sx = base_of(best_xs[i]) + step_x, sy = base_of(best_ys[i]) + step_y;
            sx = sx < 0 ? 0 : sx > last_x ? last_x : sx;
            sy = sy < 0 ? 0 : sy > last_y ? last_y : sy;
            if ((masked && !may_read(i, sx, sy)) || is_near(i, (float)sx, (float)sy))
                continue;
            const float error = whole_error(inner[i] != 0, batches[i], xs[i], ys[i], sx, sy, best_errors[i]);
            const bool better = error < best_errors[i];
            best_xs[i] = better ? (float)sx : best_xs[i], best_ys[i] = better ? (float)sy : best_ys[i];
            best_errors[i] = better ? error : best_errors[i];
            moved[i] |= better;
        }
    }
"""

IMPROVE = (
    RUN_SIZE
    + SCRAMBLE
    + PATCH_ERROR
    + PLACES
    + "    if (found <= 0)\n        return;\n"
    + PROPAGATE
    + DRAW
    + FIRST_THREE
    + OTHERS
    + """
    for (int i = 0; i < found; ++i) {
        nnf_out.data[heres[i]] = wp::vec_t<2, float>(best_xs[i], best_ys[i]);
        error_out.data[heres[i]] = best_errors[i];
        moved_out.data[heres[i]] = (wp::uint8)moved[i];
    }
"""
)
"""Improves the pixels of the list from `first` on."""
