"""Read a colour at a sub-pixel position without mixing surfaces: the only place colours are read.

Cubic, because a bilinear gather blurs and a clip is blended at every denoising step. Of the sixteen pixels around a
position *taps* says which may be read: bit 4 * row + column, the position lying between rows and columns 1 and 2.
"""

import warp as wp

wp.set_module_options({"enable_backward": False})

ALL_TAPS = wp.constant(0xFFFF)
"""All sixteen pixels show the same surface."""

CORNER_TAPS = wp.constant(0x0660)
"""The four pixels next to the position."""

SHARPNESS = wp.constant(0.75)
"""Of the cubic kernel; 0.5 is Catmull-Rom."""

MIN_CUBIC_SUPPORT = wp.constant(0.6)
"""Least share of the cubic weights that allowed pixels must have; below it the result would be extrapolated."""


@wp.func
def cubic_weights(t: float) -> wp.vec4:
    """Weights of the pixels at -1, 0, 1, 2 for position `t` in [0, 1): Keys's cubic convolution (1981)."""
    u = 1.0 - t
    return wp.vec4(
        -SHARPNESS * t * u * u,
        1.0 - t * t * (3.0 - SHARPNESS - (2.0 - SHARPNESS) * t),
        1.0 - u * u * (3.0 - SHARPNESS - (2.0 - SHARPNESS) * u),
        -SHARPNESS * u * t * t,
    )


@wp.func
def has_tap(taps: int, column: int, row: int) -> bool:
    """Whether a pixel of the sixteen may be read."""
    return ((taps >> (4 * row + column)) & 1) != 0


@wp.func_native(
    f"""
    const float sharpness = {SHARPNESS}f;
    const int height = frames.shape[1], width = frames.shape[2];
    const int left = (int)floorf(x), top = (int)floorf(y);
    auto weigh = [&](const float t, float* weights) {{
        const float u = 1.0f - t;
        weights[0] = -sharpness * t * u * u;
        weights[1] = 1.0f - t * t * (3.0f - sharpness - (2.0f - sharpness) * t);
        weights[2] = 1.0f - u * u * (3.0f - sharpness - (2.0f - sharpness) * u);
        weights[3] = -sharpness * u * t * t;
    }};
"""
    + """
    float across[4], down[4];
    weigh(x - (float)left, across);
    weigh(y - (float)top, down);
    const float* const frame = reinterpret_cast<const float*>(frames.data) + 3 * ((size_t)slot * height * width);
#if !defined(__CUDA_ARCH__)
    if (left >= 1 && top >= 1 && left + 2 < width && top + 2 < height) {
        // A row of four pixels is twelve numbers side by side: eight and four.
#pragma clang fp contract(fast)
        typedef float Four __attribute__((vector_size(16), aligned(4)));
        typedef float Eight __attribute__((vector_size(32), aligned(4)));
        const float* row = frame + 3 * ((top - 1) * width + left - 1);
        Eight eight = *(const Eight*)row;
        Four four = *(const Four*)(row + 8);
        Eight low_eight = eight, high_eight = eight, sum_eight = down[0] * eight;
        Four low_four = four, high_four = four, sum_four = down[0] * four;
        for (int j = 1; j < 4; ++j) {
            row += 3 * width;
            eight = *(const Eight*)row;
            four = *(const Four*)(row + 8);
            low_eight = eight < low_eight ? eight : low_eight;
            high_eight = eight > high_eight ? eight : high_eight;
            low_four = four < low_four ? four : low_four;
            high_four = four > high_four ? four : high_four;
            sum_eight += down[j] * eight;
            sum_four += down[j] * four;
        }
        auto pixels = [](const Eight& eight, const Four& four, Four* pixel) __attribute__((always_inline)) {
            const Four last = __builtin_shufflevector(eight, eight, 4, 5, 6, 7);
            pixel[0] = __builtin_shufflevector(eight, eight, 0, 1, 2, 3);
            pixel[1] = __builtin_shufflevector(eight, eight, 3, 4, 5, 6);
            pixel[2] = __builtin_shufflevector(last, four, 2, 3, 4, 4);
            pixel[3] = __builtin_shufflevector(four, four, 1, 2, 3, 3);
        };
        Four sums[4], lows[4], highs[4];
        pixels(sum_eight, sum_four, sums);
        pixels(low_eight, low_four, lows);
        pixels(high_eight, high_four, highs);
        Four total = across[0] * sums[0] + across[1] * sums[1] + across[2] * sums[2] + across[3] * sums[3];
        for (int i = 1; i < 4; ++i) {
            lows[0] = lows[i] < lows[0] ? lows[i] : lows[0];
            highs[0] = highs[i] > highs[0] ? highs[i] : highs[0];
        }
        total = total > lows[0] ? total : lows[0];
        total = total < highs[0] ? total : highs[0];
        return wp::vec_t<3, float>(total[0], total[1], total[2]);
    }
#endif
    float result[3];
    for (int c = 0; c < 3; ++c) {
        float total = 0.0f, low = 1.0e30f, high = -1.0e30f;
        for (int i = 0; i < 4; ++i) {
            const int column = left - 1 + i < 0 ? 0 : left - 1 + i > width - 1 ? width - 1 : left - 1 + i;
            float sum = 0.0f;
            for (int j = 0; j < 4; ++j) {
                const int row = top - 1 + j < 0 ? 0 : top - 1 + j > height - 1 ? height - 1 : top - 1 + j;
                const float value = frame[3 * (row * width + column) + c];
                low = value < low ? value : low;
                high = value > high ? value : high;
                sum += down[j] * value;
            }
            total += across[i] * sum;
        }
        result[c] = total < low ? low : total > high ? high : total;
    }
    return wp::vec_t<3, float>(result[0], result[1], result[2]);
    """
)
def gather_all(  # type: ignore[empty-body]
    frames: wp.array3d[wp.vec3], slot: int, x: float, y: float
) -> wp.vec3:
    """Cubic colour at (x, y) from all sixteen pixels: what `gather_cubic` returns for `ALL_TAPS`, to the last bits.

    In a fifth of the time that Warp's own loops took.
    """


@wp.func
def gather_cubic(frames: wp.array3d[wp.vec3], slot: int, x: float, y: float, taps: int) -> wp.vec4:
    """Cubic colour at (x, y) from the allowed pixels, and the share of the weights that they have.

    Clamped to the range of what was read, which keeps every blend inside the range of its inputs.
    """
    left = int(wp.floor(x))
    top = int(wp.floor(y))
    across = cubic_weights(x - float(left))
    down = cubic_weights(y - float(top))
    low = wp.vec3(1.0e30)
    high = wp.vec3(-1.0e30)
    total = wp.vec3(0.0)
    support = wp.float32(0.0)
    for j in range(4):
        cy = wp.clamp(top - 1 + j, 0, frames.shape[1] - 1)
        for i in range(4):
            if has_tap(taps, i, j):
                cx = wp.clamp(left - 1 + i, 0, frames.shape[2] - 1)
                colour = frames[slot, cy, cx]
                weight = across[i] * down[j]
                total += weight * colour
                support += weight
                low = wp.min(low, colour)
                high = wp.max(high, colour)
    colour = wp.min(wp.max(total / support, low), high)
    return wp.vec4(colour[0], colour[1], colour[2], support)


@wp.func
def gather_corners(frames: wp.array3d[wp.vec3], slot: int, x: float, y: float, taps: int) -> wp.vec3:
    """Bilinear colour at (x, y) from those of the four pixels next to it that `taps` allows."""
    left = int(wp.floor(x))
    top = int(wp.floor(y))
    low = wp.vec3(1.0e30)
    high = wp.vec3(-1.0e30)
    total = wp.vec3(0.0)
    weight = wp.float32(0.0)
    for corner in range(4):
        dx = corner & 1
        dy = corner >> 1
        if has_tap(taps, 1 + dx, 1 + dy):
            cx = wp.clamp(left + dx, 0, frames.shape[2] - 1)
            cy = wp.clamp(top + dy, 0, frames.shape[1] - 1)
            share_x = wp.abs(1.0 - float(dx) - (x - float(left)))
            share_y = wp.abs(1.0 - float(dy) - (y - float(top)))
            colour = frames[slot, cy, cx]
            total += share_x * share_y * colour
            weight += share_x * share_y
            low = wp.min(low, colour)
            high = wp.max(high, colour)
    # The division leaves the range by a last bit, and equal colours must give exactly that colour.
    return wp.min(wp.max(total / weight, low), high)


@wp.func
def gather(frames: wp.array3d[wp.vec3], slot: int, x: float, y: float, taps: int) -> wp.vec3:
    """Colour of frame `slot` at (x, y) from the pixels that `taps` allows; at least one next to the position."""
    if x == wp.floor(x) and y == wp.floor(y):
        # Exactly on a pixel, and exactly its colour: a static scene stays bit-identical.
        return frames[slot, int(y), int(x)]
    if taps == ALL_TAPS:
        return gather_all(frames, slot, x, y)
    cubic = gather_cubic(frames, slot, x, y, taps)
    if cubic[3] >= MIN_CUBIC_SUPPORT:
        return wp.vec3(cubic[0], cubic[1], cubic[2])
    return gather_corners(frames, slot, x, y, taps)
