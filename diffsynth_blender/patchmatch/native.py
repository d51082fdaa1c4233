"""The match error in C++, as text that the native functions of this package begin with.

Nearly all time of a match is spent here; Warp's own code for it took two to three times as long on a processor. One
source for processors and CUDA, only the sums differ: a processor adds up four pixels at a time. Guides are packed as
`patch` says; `length` counts vec4, pitches count floats.
"""

SUMS = """
    const int radius = pair.radius, groups = pair.groups;
    const int target_pitch = 4 * pair.width * groups, source_pitch = 4 * pair.source_width * groups;
    const float* const target = reinterpret_cast<const float*>(pair.target.data);
    const float* const source = reinterpret_cast<const float*>(pair.source.data);
    const float no_match = 3.0e38f;
#if defined(__CUDA_ARCH__)
#define ALWAYS_INLINE
    // Squared differences of two patches, or of their first rows once they exceed `bound`.
    auto sum = [&](const float* a, const float* b, const int rows, const int length, const float bound) {
        float total = 0.0f;
        for (int j = 0; j < rows && !(total > bound); ++j, a += target_pitch, b += source_pitch)
            for (int i = 0; i < 4 * length; ++i)
                total += (a[i] - b[i]) * (a[i] - b[i]);
        return total;
    };
#else
#define ALWAYS_INLINE __attribute__((always_inline))
    typedef float Four __attribute__((vector_size(16), aligned(4)));
    typedef float Eight __attribute__((vector_size(32), aligned(4)));
    typedef float Sixteen __attribute__((vector_size(64), aligned(4)));
    struct Lanes {
        Four rest = {};
        Eight eight = {};
        Sixteen sixteen = {};
        ALWAYS_INLINE void add_row(const float* a, const float* b, const int length) {
#pragma clang fp contract(fast)
            int i = 0;
            for (; i + 4 <= length; i += 4) {
                const Sixteen step = *(const Sixteen*)(a + 4 * i) - *(const Sixteen*)(b + 4 * i);
                sixteen += step * step;
            }
            if (length & 2) {
                const Eight step = *(const Eight*)(a + 4 * i) - *(const Eight*)(b + 4 * i);
                eight += step * step;
                i += 2;
            }
            if (length & 1) {
                const Four step = *(const Four*)(a + 4 * i) - *(const Four*)(b + 4 * i);
                rest += step * step;
            }
        }
        ALWAYS_INLINE Four four() const {
            const Eight upper = __builtin_shufflevector(sixteen, sixteen, 8, 9, 10, 11, 12, 13, 14, 15);
            const Eight half = __builtin_shufflevector(sixteen, sixteen, 0, 1, 2, 3, 4, 5, 6, 7) + upper + eight;
            const Four last = __builtin_shufflevector(half, half, 4, 5, 6, 7);
            return __builtin_shufflevector(half, half, 0, 1, 2, 3) + last + rest;
        }
        ALWAYS_INLINE float total() const {
            const Four quarter = four();
            return (quarter[0] + quarter[1]) + (quarter[2] + quarter[3]);
        }
    };
    // Squared differences of two patches, or of their first rows once they exceed `bound`. To be inlined with `rows`
    // and `length` constants for common patches. A test costs more than it saves while a patch has few rows.
    auto sum = [&](const float* a, const float* b, const int rows, const int length, const float bound) ALWAYS_INLINE {
        const int rows_a_test = 5 + 40 / length;
        Lanes lanes;
        float total = 0.0f;
        for (int first = 0; first < rows; first += rows_a_test) {
            const int end = first + rows_a_test < rows ? first + rows_a_test : rows;
            for (int j = first; j < end; ++j)
                lanes.add_row(a + j * target_pitch, b + j * source_pitch, length);
            total = lanes.total();
            if (total > bound)
                break;
        }
        return total;
    };
    // Three whole patches at once: the target's rows are loaded once.
    auto sum_three = [&](const float* a, const float* const* b, const int side, const int length, float* totals)
        ALWAYS_INLINE {
        Lanes lanes[3];
        for (int j = 0; j < side; ++j)
            for (int n = 0; n < 3; ++n)
                lanes[n].add_row(a + j * target_pitch, b[n] + j * source_pitch, length);
        auto pairs = [](const Four a, const Four b) ALWAYS_INLINE {
            return __builtin_shufflevector(a, b, 0, 2, 4, 6) + __builtin_shufflevector(a, b, 1, 3, 5, 7);
        };
        *(Four*)totals = pairs(pairs(lanes[0].four(), lanes[1].four()), pairs(lanes[2].four(), lanes[2].four()));
    };
#endif
"""

PATCH_ERROR = (
    SUMS
    + """
    const int side = 2 * radius + 1;
    const float side_count = (float)(side * side);
    const wp::uint32 inner_width = pair.source_width > 2 * radius ? pair.source_width - 2 * radius : 0;
    const wp::uint32 inner_height = pair.source_height > 2 * radius ? pair.source_height - 2 * radius : 0;
    // Calls with the side of a patch and the vec4 in a row of it: constants for patches that are common.
    auto of_patch = [&](const auto call) ALWAYS_INLINE {
#if !defined(__CUDA_ARCH__)
        if (side == 5 && groups == 1)
            return call(5, 5);
        if (side == 7 && groups == 1)
            return call(7, 7);
#endif
        return call(side, side * groups);
    };
    // Whether the whole patch of a target pixel, or of a source pixel, is in its picture.
    auto is_inner = [&](const int x, const int y) {
        return (x >= radius) & (y >= radius) & (x < pair.width - radius) & (y < pair.height - radius);
    };
    auto is_inner_source = [&](const int sx, const int sy) {
        return ((wp::uint32)(sx - radius) < inner_width) & ((wp::uint32)(sy - radius) < inner_height);
    };
    auto target_at = [&](const int batch, const int x, const int y) {
        return target + (long long)(batch * pair.height + y) * target_pitch + 4 * x * groups;
    };
    auto source_at = [&](const int batch, const int sx, const int sy) {
        return source + (long long)(batch * pair.source_height + sy) * source_pitch + 4 * sx * groups;
    };
    // Mean squared difference a pixel, or `no_match` as soon as it exceeds `limit`. Patches are clipped where either
    // leaves its picture; the mean is over what is left. Between pixels, `fx` of the way to the right and `fy` of the
    // way down, the source is read bilinearly.
    auto clipped_error = [&](const int batch, const int x, const int y, const int sx, const int sy, const float fx,
                             const float fy, const float limit) {
        // Neighbours with weight 0 need not exist.
        const int right_of = fx > 0.0f, below = fy > 0.0f;
        int top = -radius, bottom = radius, left = -radius, right = radius;
        if (top < -y) top = -y;
        if (top < -sy) top = -sy;
        if (left < -x) left = -x;
        if (left < -sx) left = -sx;
        if (bottom > pair.height - 1 - y) bottom = pair.height - 1 - y;
        if (bottom > pair.source_height - 1 - below - sy) bottom = pair.source_height - 1 - below - sy;
        if (right > pair.width - 1 - x) right = pair.width - 1 - x;
        if (right > pair.source_width - 1 - right_of - sx) right = pair.source_width - 1 - right_of - sx;
        const int rows = bottom - top + 1, length = (right - left + 1) * groups;
        const float count = (float)(rows * (right - left + 1)), bound = limit * count;
        const float* a = target_at(batch, x + left, y + top);
        const float* b = source_at(batch, sx + left, sy + top);
        float total = 0.0f;
        if (!right_of && !below) {
            total = sum(a, b, rows, length, bound);
        } else {
            const float upper_left = (1.0f - fx) * (1.0f - fy), upper_right = fx * (1.0f - fy);
            const float lower_left = (1.0f - fx) * fy, lower_right = fx * fy;
            const int across = 4 * groups * right_of, down = source_pitch * below;
            float lanes[4] = {0.0f, 0.0f, 0.0f, 0.0f};
            for (int j = 0; j < rows && !(total > bound); ++j, a += target_pitch, b += source_pitch) {
                for (int i = 0; i < length; ++i)
                    for (int k = 0; k < 4; ++k) {
                        const float* here = b + 4 * i + k;
                        const float step = a[4 * i + k] - (upper_left * here[0] + upper_right * here[across]
                            + lower_left * here[down] + lower_right * here[down + across]);
                        lanes[k] += step * step;
                    }
                total = (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
            }
        }
        return total > bound ? no_match : total / count;
    };
    // The same for whole pixels, fast where `inner` says that the target's patch is whole.
    auto whole_error = [&](const bool inner, const int batch, const int x, const int y, const int sx, const int sy,
                           const float limit) ALWAYS_INLINE {
        if (!(inner & is_inner_source(sx, sy)))
            return clipped_error(batch, x, y, sx, sy, 0.0f, 0.0f, limit);
        const float* a = target_at(batch, x - radius, y - radius);
        const float* b = source_at(batch, sx - radius, sy - radius);
        const float bound = limit * side_count;
        float total;
        of_patch([&](const int side, const int length) ALWAYS_INLINE { total = sum(a, b, side, length, bound); });
        return total > bound ? no_match : total / side_count;
    };
"""
)
"""Expects `pair`; defines, beside what is commented on, `no_match` and `groups`."""
