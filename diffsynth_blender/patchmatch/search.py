"""Propagation and random search in C++, for a run of pixels; see `kernels.improve`.

A neighbour that has not moved since the last round suggests what was tried then, and a pixel's error has not risen
since: leaving it out changes nothing.
"""

from .native import PATCH_ERROR

RUN = 64
"""Pixels that one thread of a processor searches at a time; on CUDA each has its own thread."""

NEAR = 0.125
"""A position this near to the best [px] is no candidate: neighbours of a smooth initial field all differ by a little,
and trying them doubled the time of a match; the sub-pixel steps go there by themselves."""

RUN_SIZE = f"""
#if defined(__CUDA_ARCH__)
    const int run = 1;
#else
    const int run = {RUN};
#endif
"""

SCRAMBLE = """
    // The PCG hash: 32 bits that look random (Jarzynski and Olano, "Hash functions for GPU rendering", 2020).
    auto scramble = [](const wp::uint32 value) {
        const wp::uint32 state = value * 747796405u + 2891336453u;
        const wp::uint32 word = ((state >> ((state >> 28) + 4)) ^ state) * 277803737u;
        return (word >> 22) ^ word;
    };
    // Random numbers belong to a pixel of a picture, wherever in a batch the picture is.
    auto pixel_key = [&](const wp::uint32 key, const int x, const int y) {
        return scramble(key + scramble((wp::uint32)x + 65536u * (wp::uint32)y));
    };
"""

PLACES = """
    const int width = pair.width, height = pair.height;
    const int found = first + run < pair.pixel_count ? run : pair.pixel_count - first;
    int xs[run], ys[run], rows[run], batches[run];
    if (pair.pixels.shape[0] != 0) {
        for (int i = 0; i < found; ++i) {
            const int pixel = pair.pixels.data[first + i];
            rows[i] = pixel / width, xs[i] = pixel % width;
            batches[i] = rows[i] / height, ys[i] = rows[i] % height;
        }
    } else if (found > 0) {
        int row = first / width, x = first % width, batch = row / height, y = row % height;
        for (int i = 0; i < found; ++i) {
            rows[i] = row, xs[i] = x, ys[i] = y, batches[i] = batch;
            if (++x == width) {
                x = 0, ++row;
                if (++y == height)
                    y = 0, ++batch;
            }
        }
    }
"""

STEPS = """
    // The first draws of all pixels together, several at a time.
    const int ahead = 4;
    wp::uint32 random[run];
    short steps_x[ahead][run], steps_y[ahead][run];
    for (int i = 0; i < found; ++i)
        random[i] = pixel_key(key, xs[i], ys[i]);
    auto draw = [&](const int i, const int k, int& step_x, int& step_y) {
        const int most = (reach >> k) > 1 ? reach >> k : 1;
        const wp::uint32 span = (wp::uint32)(2 * most + 1), value = scramble(random[i] + (wp::uint32)k);
        step_x = (int)(((value & 65535u) * span) >> 16) - most;
        step_y = (int)(((value >> 16) * span) >> 16) - most;
    };
    for (int k = 0; k < ahead && k < search_count; ++k)
        for (int i = 0; i < found; ++i) {
            int step_x, step_y;
            draw(i, k, step_x, step_y);
            steps_x[k][i] = (short)step_x, steps_y[k][i] = (short)step_y;
        }
"""

IMPROVE = (
    RUN_SIZE
    + f"    const float near = {NEAR}f;\n"
    + SCRAMBLE
    + PATCH_ERROR
    + PLACES
    + STEPS
    + """
    const wp::vec_t<2, float>* const field = nnf_in.data;
    const bool masked = pair.source_mask.shape[0] != 0;
    const int last_x = pair.source_width - 1, last_y = pair.source_height - 1;
    for (int i = 0; i < found; ++i) {
        const int x = xs[i], y = ys[i], batch = batches[i], here = rows[i] * width + x;
        float best_x = field[here][0], best_y = field[here][1], best_error = error_in.data[here];
        bool moved = false;
        // Nothing is better than 0: what stands still in a film costs nothing.
        if (best_error > 0.0f) {
            const bool inner = is_inner(x, y);
            auto may_read = [&](const int sx, const int sy) {
                return pair.source_mask.data[(batch * pair.source_height + sy) * pair.source_width + sx] != 0;
            };
            auto is_near = [&](const float at_x, const float at_y) {
                return (fabsf(at_x - best_x) < near) & (fabsf(at_y - best_y) < near);
            };
            // Where the pixel lies if it moved as a neighbour. Without a branch: it would be guessed wrong too often.
            float at_xs[4], at_ys[4];
            int suggestions = 0;
            auto suggest = [&](const int there, const int dx, const int dy) {
                const float at_x = field[there][0] - (float)dx, at_y = field[there][1] - (float)dy;
                at_xs[suggestions] = at_x, at_ys[suggestions] = at_y;
                suggestions += (moved_in.data[there] != 0) & !is_near(at_x, at_y);
            };
            if (y > 0) suggest(here - width, 0, -1);
            if (x > 0) suggest(here - 1, -1, 0);
            if (y + 1 < height) suggest(here + width, 0, 1);
            if (x + 1 < width) suggest(here + 1, 1, 0);
            for (int k = 0; k < suggestions; ++k) {
                const float at_x = at_xs[k], at_y = at_ys[k];
                // False for NaN, too.
                if (!((at_x >= 0.0f) & (at_y >= 0.0f) & (at_x <= (float)last_x) & (at_y <= (float)last_y)))
                    continue;
                const int sx = (int)at_x, sy = (int)at_y;
                const float fx = at_x - (float)sx, fy = at_y - (float)sy;
                const bool between = (fx > 0.0f) | (fy > 0.0f);
                if (masked && !(may_read(sx, sy) && may_read(sx + (fx > 0.0f), sy)
                    && may_read(sx, sy + (fy > 0.0f)) && may_read(sx + (fx > 0.0f), sy + (fy > 0.0f))))
                    continue;
                if (between && is_near(at_x, at_y))
                    continue;
                const float error = between ? clipped_error(batch, x, y, sx, sy, fx, fy, best_error)
                    : whole_error(inner, batch, x, y, sx, sy, best_error);
                if (error < best_error)
                    best_x = at_x, best_y = at_y, best_error = error, moved = true;
            }
            int tried = 0;
            // Pixels around a best that is NaN do not exist.
            int base_x = best_x >= 0.0f ? (int)(best_x + 0.5f) : 0, base_y = best_y >= 0.0f ? (int)(best_y + 0.5f) : 0;
#if !defined(__CUDA_ARCH__)
            if (inner & !masked & (search_count >= 3) & (groups == 1) & ((side == 5) | (side == 7))) {
                const float* starts[3];
                bool fit = true, same[3];
                for (int n = 0; n < 3; ++n) {
                    const int sx = base_x + steps_x[n][i], sy = base_y + steps_y[n][i];
                    fit &= is_inner_source(sx, sy);
                    same[n] = ((float)sx == best_x) & ((float)sy == best_y);
                    starts[n] = source_at(batch, sx - radius, sy - radius);
                }
                if (fit) {
                    float totals[3];
                    const float* a = target_at(batch, x - radius, y - radius);
                    if (side == 5)
                        sum_three(a, starts, 5, totals);
                    else
                        sum_three(a, starts, 7, totals);
                    const float bound = best_error * side_count;
                    bool worse = true;
                    for (int n = 0; n < 3; ++n)
                        worse &= (totals[n] > bound) | same[n];
                    // Else they are tried one after the other: the second is drawn around what the first has found.
                    if (worse)
                        tried = 3;
                }
            }
#endif
            for (; tried < search_count; ++tried) {
                int step_x, step_y;
                if (tried < ahead)
                    step_x = steps_x[tried][i], step_y = steps_y[tried][i];
                else
                    draw(i, tried, step_x, step_y);
                int sx = base_x + step_x, sy = base_y + step_y;
                sx = sx < 0 ? 0 : sx > last_x ? last_x : sx;
                sy = sy < 0 ? 0 : sy > last_y ? last_y : sy;
                if ((masked && !may_read(sx, sy)) || is_near((float)sx, (float)sy))
                    continue;
                const float error = whole_error(inner, batch, x, y, sx, sy, best_error);
                if (error < best_error)
                    best_x = (float)sx, best_y = (float)sy, base_x = sx, base_y = sy, best_error = error, moved = true;
            }
        }
        nnf_out.data[here] = wp::vec_t<2, float>(best_x, best_y);
        error_out.data[here] = best_error;
        moved_out.data[here] = moved;
    }
"""
)
"""Improves the pixels of the list from `first` on."""
