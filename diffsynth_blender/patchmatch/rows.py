"""The inner loops over the rows of two patches, in C++: nearly all time of a match is spent here.

Warp's own code for them took 1.5 to 2 times as long on a processor. The same source is compiled for processors and
for CUDA; only the vector type differs. Guides are packed as `patch` says: starts, pitches and lengths count vec4.
"""

import warp as wp

wp.set_module_options({"enable_backward": False})


@wp.func_native(
    """
    const float* a = reinterpret_cast<const float*>(&target.data[target_start]);
    const float* b = reinterpret_cast<const float*>(&source.data[source_start]);
#if defined(__CUDA_ARCH__)
    float total = 0.0f;
    for (int j = 0; j < rows; ++j, a += 4 * target_pitch, b += 4 * source_pitch) {
        for (int i = 0; i < 4 * length; ++i)
            total += (a[i] - b[i]) * (a[i] - b[i]);
        if (total > bound)
            break;
    }
    return total;
#else
    typedef float four __attribute__((vector_size(16), aligned(4)));
    typedef float eight __attribute__((vector_size(32), aligned(4)));
    // Inlined with `length` a constant, so that a row of a common patch has no loop.
    auto sum = [&](const int length) __attribute__((always_inline)) {
#pragma clang fp contract(fast)
        const int rows_a_test = 1 + 40 / length;
        four narrow = {0.0f, 0.0f, 0.0f, 0.0f};
        eight wide = {0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f};
        float total = 0.0f;
        for (int first = 0; first < rows; first += rows_a_test) {
            const int end = first + rows_a_test < rows ? first + rows_a_test : rows;
            for (int j = first; j < end; ++j, a += 4 * target_pitch, b += 4 * source_pitch) {
                for (int i = 0; i + 2 <= length; i += 2) {
                    const eight step = *(const eight*)(a + 4 * i) - *(const eight*)(b + 4 * i);
                    wide += step * step;
                }
                if (length & 1) {
                    const four step = *(const four*)(a + 4 * length - 4) - *(const four*)(b + 4 * length - 4);
                    narrow += step * step;
                }
            }
            const four half = __builtin_shufflevector(wide, wide, 0, 1, 2, 3)
                + __builtin_shufflevector(wide, wide, 4, 5, 6, 7) + narrow;
            total = (half[0] + half[1]) + (half[2] + half[3]);
            if (total > bound)
                break;
        }
        return total;
    };
    switch (length) {
        case 5: return sum(5);
        case 7: return sum(7);
        case 9: return sum(9);
        default: return sum(length);
    }
#endif
    """
)
def rows_error(  # type: ignore[empty-body]
    target: wp.array2d[wp.vec4],
    source: wp.array2d[wp.vec4],
    target_start: int,
    source_start: int,
    target_pitch: int,
    source_pitch: int,
    rows: int,
    length: int,
    bound: float,
) -> float:
    """Sum of squared differences of two patches, or of their first rows once it exceeds `bound`."""


@wp.func_native(
    """
    const float* t = reinterpret_cast<const float*>(&target.data[target_start]);
    const float* s = reinterpret_cast<const float*>(&source.data[source_start]);
    const float upper_left = (1.0f - fx) * (1.0f - fy), upper_right = fx * (1.0f - fy);
    const float lower_left = (1.0f - fx) * fy, lower_right = fx * fy;
    float lanes[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    float total = 0.0f;
    for (int j = 0; j < rows; ++j, t += 4 * target_pitch, s += 4 * source_pitch) {
        for (int i = 0; i < length; ++i) {
            const float* here = s + 4 * i;
            for (int k = 0; k < 4; ++k) {
                const float read = upper_left * here[k] + upper_right * here[4 * right + k]
                    + lower_left * here[4 * below + k] + lower_right * here[4 * (below + right) + k];
                const float step = t[4 * i + k] - read;
                lanes[k] += step * step;
            }
        }
        total = (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
        if (total > bound)
            break;
    }
    return total;
    """
)
def rows_error_between(  # type: ignore[empty-body]
    target: wp.array2d[wp.vec4],
    source: wp.array2d[wp.vec4],
    target_start: int,
    source_start: int,
    target_pitch: int,
    source_pitch: int,
    right: int,
    below: int,
    fx: float,
    fy: float,
    rows: int,
    length: int,
    bound: float,
) -> float:
    """`rows_error` with the source read bilinearly, `fx` of the way to the pixel `right` and `fy` to that `below`."""


@wp.func_native(
    """
    const float* t = reinterpret_cast<const float*>(&target.data[target_start]);
    const float* s = reinterpret_cast<const float*>(&source.data[source_start]);
    const float upper_left = (1.0f - fx) * (1.0f - fy), upper_right = fx * (1.0f - fy);
    const float lower_left = (1.0f - fx) * fy, lower_right = fx * fy;
    float sums[5][4] = {{0.0f}};
    for (int j = 0; j < rows; ++j, t += 4 * target_pitch, s += 4 * source_pitch) {
        for (int i = 0; i < length; ++i) {
            const float* here = s + 4 * i;
            const float* own = t + 4 * i;
            for (int k = 0; k < 4; ++k) {
                const float read = upper_left * here[k] + upper_right * here[4 * right + k]
                    + lower_left * here[4 * below + k] + lower_right * here[4 * (below + right) + k];
                const float lack = own[k] - read;
                const float across = 0.5f * (own[k + 4 * groups] - own[k - 4 * groups]);
                const float down = 0.5f * (own[k + 4 * target_pitch] - own[k - 4 * target_pitch]);
                sums[0][k] += across * across;
                sums[1][k] += across * down;
                sums[2][k] += down * down;
                sums[3][k] += across * lack;
                sums[4][k] += down * lack;
            }
        }
    }
    wp::vec_t<6, float> result;
    for (int n = 0; n < 5; ++n)
        result[n] = (sums[n][0] + sums[n][1]) + (sums[n][2] + sums[n][3]);
    return result;
    """
)
def rows_step_sums(  # type: ignore[empty-body]
    target: wp.array2d[wp.vec4],
    source: wp.array2d[wp.vec4],
    target_start: int,
    source_start: int,
    target_pitch: int,
    source_pitch: int,
    right: int,
    below: int,
    fx: float,
    fy: float,
    rows: int,
    length: int,
    groups: int,
) -> wp.spatial_vector:
    """Sums over a patch for a step of the source position, read as `rows_error_between` does.

    gx gx, gx gy, gy gy, gx d, gy d: g is the target's gradient, d target minus source. The last of the six is 0:
    Warp has a name for vectors of six, none for five.
    """
