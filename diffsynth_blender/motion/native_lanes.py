"""How the traces of a chunk of pixels are carried on by a frame on a processor, in C++: sixteen at a time.

What surrounds a position lies anywhere in a frame, so a chunk is worked on in phases: where to read, reading, which is
all that is done pixel by pixel, and arithmetic. With the same results to the last bit as `native_follow`.
"""

LANES = """
#if !defined(__CUDA_ARCH__)
#define ALWAYS_INLINE __attribute__((always_inline))
    typedef float Two __attribute__((vector_size(8), aligned(4)));
    typedef float Four __attribute__((vector_size(16), aligned(4)));
    typedef float Floats __attribute__((vector_size(64), aligned(4)));
    typedef int Ints __attribute__((vector_size(64), aligned(4)));
    typedef double Doubles __attribute__((vector_size(128), aligned(8)));
    const Ints lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const Floats zeros = {};
    auto evens = [](const auto a, const auto b) ALWAYS_INLINE {
        return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    };
    auto odds = [](const auto a, const auto b) ALWAYS_INLINE {
        return __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    };
    // The corners of a chunk's positions as they lie in memory: the upper two, the lower two.
    struct Found {
        int ids[2][2 * chunk_size];
        float depths[2][2 * chunk_size], tolerances[2][2 * chunk_size], motions[2][4 * chunk_size];
    };
    auto find = [&](Found& found, const auto& frame, const wp::vec_t<2, float>* const motion, const int* const places,
                    const int count) ALWAYS_INLINE {
        for (int i = 0; i < count; ++i)
            for (int k = 0; k < 2; ++k) {
                const int place = places[i] + k * width;
                *(Two*)(found.ids[k] + 2 * i) = *(const Two*)(frame.id.data + place);
                *(Two*)(found.depths[k] + 2 * i) = *(const Two*)(frame.depth.data + place);
                *(Two*)(found.tolerances[k] + 2 * i) = *(const Two*)(frame.tolerance.data + place);
                *(Four*)(found.motions[k] + 4 * i) = *(const Four*)(motion + place);
            }
    };
    // The corners of sixteen positions, upper left, upper right, lower left, lower right.
    struct Around {
        Ints id[4];
        Floats depth[4], tolerance[4], across[4], down[4];
    };
    auto around = [&](const Found& found, const int first) ALWAYS_INLINE {
        Around all;
        for (int k = 0; k < 2; ++k) {
            const Ints* const ids = (const Ints*)(found.ids[k] + 2 * first);
            const Floats* const depths = (const Floats*)(found.depths[k] + 2 * first);
            const Floats* const tolerances = (const Floats*)(found.tolerances[k] + 2 * first);
            const Floats* const motions = (const Floats*)(found.motions[k] + 4 * first);
            all.id[2 * k] = evens(ids[0], ids[1]), all.id[2 * k + 1] = odds(ids[0], ids[1]);
            all.depth[2 * k] = evens(depths[0], depths[1]), all.depth[2 * k + 1] = odds(depths[0], depths[1]);
            all.tolerance[2 * k] = evens(tolerances[0], tolerances[1]);
            all.tolerance[2 * k + 1] = odds(tolerances[0], tolerances[1]);
            const Floats xs = evens(motions[0], motions[1]), more_xs = evens(motions[2], motions[3]);
            const Floats ys = odds(motions[0], motions[1]), more_ys = odds(motions[2], motions[3]);
            all.across[2 * k] = evens(xs, more_xs), all.across[2 * k + 1] = odds(xs, more_xs);
            all.down[2 * k] = evens(ys, more_ys), all.down[2 * k + 1] = odds(ys, more_ys);
        }
        return all;
    };
    auto shows = [&](const Around& all, const int k, const Ints id, const Floats depth) ALWAYS_INLINE {
        return (all.id[k] == id) & (__builtin_elementwise_abs(all.depth[k] - depth) <= all.tolerance[k]);
    };
    // Positions between pixels, and where the upper left corners lie in memory if all four corners are pixels.
    struct Between {
        Floats fx, fy;
        Ints inside, place;
    };
    auto between = [&](const Floats x, const Floats y, const Ints valid) ALWAYS_INLINE {
        const Floats lefts = __builtin_elementwise_floor(valid ? x : zeros);
        const Floats tops = __builtin_elementwise_floor(valid ? y : zeros);
        const Ints left = __builtin_convertvector(lefts, Ints), top = __builtin_convertvector(tops, Ints);
        Between result;
        result.fx = x - lefts, result.fy = y - tops;
        result.inside = valid & (left >= 0) & (top >= 0) & (left + 1 < width) & (top + 1 < height);
        result.place = result.inside ? top * width + left : left - left;
        return result;
    };
    auto share_of = [&](const Between& at, const int k) ALWAYS_INLINE {
        return (k & 1 ? at.fx : 1.0f - at.fx) * (k >> 1 ? at.fy : 1.0f - at.fy);
    };
    auto are_in_picture = [&](const Floats x, const Floats y) ALWAYS_INLINE {
        return (x >= -0.5f) & (y >= -0.5f) & (x <= (float)width - 0.5f) & (y <= (float)height - 0.5f);
    };
    // `background_at`; returns where there is such a place.
    auto to_background = [&](const Ints columns, const int row, Floats& x, Floats& y) ALWAYS_INLINE {
        const Doubles u = __builtin_convertvector(columns, Doubles);
        const double v = (double)row;
        const auto& matrix = homography.data;
        const Doubles w = matrix[2][0] * u + matrix[2][1] * v + matrix[2][2], each = 1.0 / w;
        const Doubles to_x = (matrix[0][0] * u + matrix[0][1] * v + matrix[0][2]) * each;
        const Doubles to_y = (matrix[1][0] * u + matrix[1][1] * v + matrix[1][2]) * each;
        const Ints exists = __builtin_convertvector(w > 1.0e-9, Ints);
        x = exists ? __builtin_convertvector(to_x, Floats) : x, y = exists ? __builtin_convertvector(to_y, Floats) : y;
        return exists;
    };
    auto follow_lanes = [&](Chunk& chunk, const int column, const int row, const int begin, const int count) {
        Found found;
        int places[chunk_size], is_open[chunk_size];
        float steps_x[chunk_size], steps_y[chunk_size], at_xs[chunk_size], at_ys[chunk_size];
        const int end = (count + 15) / 16 * 16;
        Floats motions[chunk_size / 8] = {};
        if (steps && starts)
            for (int i = 2 * begin; i < 2 * count; ++i)
                ((float*)motions)[i] = ((const float*)(forth + row * width + column))[i];
        if (steps && !starts) {
            for (int i = 0; i < end; i += 16) {
                const Ints followed = (*(Ints*)(chunk.id + i) != background) & (*(Floats*)(chunk.followed + i) != 0.0f);
                *(Ints*)(places + i) = between(*(Floats*)(chunk.x + i), *(Floats*)(chunk.y + i), followed).place;
            }
            find(found, near, forth, places, end);
        }
        for (int i = 0; i < end; i += 16) {
            const Ints id = *(Ints*)(chunk.id + i), is_background = id == background;
            const Floats x = *(Floats*)(chunk.x + i), y = *(Floats*)(chunk.y + i), z = *(Floats*)(chunk.z + i);
            Ints open = ~is_background & (*(Floats*)(chunk.followed + i) != 0.0f), hard = id ^ id;
            const Floats some = motions[i / 8], more = motions[i / 8 + 1];
            Floats step_x = evens(some, more), step_y = odds(some, more);
            if (!steps) {
                hard = open;
            } else if (!starts) {
                const Between at = between(x, y, open);
                const Around all = around(found, i);
                Floats weight = zeros;
                step_x = zeros, step_y = zeros;
                for (int k = 0; k < 4; ++k) {
                    const Ints same = shows(all, k, id, z);
                    const Floats share = same ? share_of(at, k) : zeros;
                    step_x += share * (same ? all.across[k] : zeros);
                    step_y += share * (same ? all.down[k] : zeros);
                    weight += share;
                }
                step_x /= weight, step_y /= weight;
                hard = open & ~at.inside;
                open &= (weight >= min_support) | hard;
            }
            Floats at_x = x + step_x, at_y = y + step_y;
            if (finishes && __builtin_reduce_or(is_background) != 0) {
                Floats to_x = x, to_y = y;
                open |= is_background & to_background(lane + (column + i), row, to_x, to_y);
                at_x = is_background ? to_x : at_x, at_y = is_background ? to_y : at_y;
            }
            open &= are_in_picture(at_x, at_y) | hard;
            const Between at = between(at_x, at_y, open & ~hard);
            hard |= open & ~at.inside;
            *(Ints*)(places + i) = at.place;
            *(Ints*)(is_open + i) = open & ~hard, *(Ints*)(chunk.todo + i) = hard & 2;
            *(Floats*)(steps_x + i) = step_x, *(Floats*)(steps_y + i) = step_y;
            *(Floats*)(at_xs + i) = at_x, *(Floats*)(at_ys + i) = at_y;
        }
        find(found, far, back, places, end);
        for (int i = 0; i < end; i += 16) {
            const Ints id = *(Ints*)(chunk.id + i), is_background = id == background;
            const Ints open = *(Ints*)(is_open + i), hard = *(Ints*)(chunk.todo + i) != 0;
            const Floats step_x = *(Floats*)(steps_x + i), step_y = *(Floats*)(steps_y + i);
            const Floats at_x = *(Floats*)(at_xs + i), at_y = *(Floats*)(at_ys + i);
            const Between at = between(at_x, at_y, open);
            const Around all = around(found, i);
            Floats errors[4];
            for (int k = 0; k < 4; ++k) {
                const Floats dx = all.across[k] + step_x, dy = all.down[k] + step_y;
                errors[k] = (all.id[k] == id) ? dx * dx + dy * dy : zeros + 1.0e30f;
            }
            const Ints right = errors[1] < errors[0], lower_right = errors[3] < errors[2];
            const Ints below = (lower_right ? errors[3] : errors[2]) < (right ? errors[1] : errors[0]);
            const Floats depth = below ? (lower_right ? all.depth[3] : all.depth[2])
                : (right ? all.depth[1] : all.depth[0]);
            Floats xs[4], ys[4], zs[4], shares[4];
            for (int k = 0; k < 4; ++k) {
                const Ints read = shows(all, k, id, depth);
                shares[k] = read ? share_of(at, k) : zeros;
                xs[k] = shares[k] * (read ? all.across[k] : zeros), ys[k] = shares[k] * (read ? all.down[k] : zeros);
                zs[k] = shares[k] * (read ? all.depth[k] : zeros);
            }
            const Floats total = (shares[0] + shares[1]) + (shares[2] + shares[3]);
            const Floats error_x = ((xs[0] + xs[1]) + (xs[2] + xs[3])) / total + step_x;
            const Floats error_y = ((ys[0] + ys[1]) + (ys[2] + ys[3])) / total + step_y;
            const Floats error = error_x * error_x + error_y * error_y;
            const Ints came = open & ~is_background & (total >= min_support)
                & (error <= max_return_error * max_return_error);
            const Floats z = came ? ((zs[0] + zs[1]) + (zs[2] + zs[3])) / total : *(Floats*)(chunk.z + i);
            // Nearly always all four corners show the surface, and their weights do not matter.
            const Ints is_there = came | (open & is_background);
            Ints seen = is_there;
            for (int k = 0; k < 4; ++k)
                seen &= (is_background & (all.id[k] == id)) | shows(all, k, id, z);
            const Ints moved = came | is_background;
            *(Floats*)(chunk.x + i) = moved ? at_x : *(Floats*)(chunk.x + i);
            *(Floats*)(chunk.y + i) = moved ? at_y : *(Floats*)(chunk.y + i);
            *(Floats*)(chunk.z + i) = z;
            *(Floats*)(chunk.followed + i) = hard ? *(Floats*)(chunk.followed + i) : came ? zeros + 1.0f : zeros;
            *(Floats*)(chunk.seen + i) = seen ? zeros + 1.0f : zeros;
            *(Ints*)(chunk.todo + i) |= is_there & ~seen & 1;
        }
    };
#endif
"""
"""Expects `native_follow.FOLLOW`, `Chunk`, `chunk_size` and `finishes`."""
