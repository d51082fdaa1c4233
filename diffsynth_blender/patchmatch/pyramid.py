"""Packed guides and masks, and their smaller copies, all made on the device.

The area filter weighs pixels by how much of them a coarse pixel covers: right for odd sides too.
"""

import warp as wp

wp.set_module_options({"enable_backward": False})


def halved(side: int) -> int:
    """Side of the next coarser level [px]."""
    return (side + 1) // 2


def level_sizes(
    size: tuple[int, int], source_size: tuple[int, int], coarsest: int
) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Sizes of target and source, (height, width) each, at every level, finest first.

    Args:
        size: of the target.
        source_size: of the source.
        coarsest: no side gets smaller than this [px]; the finest level is there in any case.
    """
    levels = [(size, source_size)]
    while True:
        target, source = ((halved(height), halved(width)) for height, width in levels[-1])
        if min(*target, *source) < coarsest or (target, source) == levels[-1]:
            return levels
        levels.append((target, source))


@wp.func_native(
    """
    const float* const from = guides.data + (row * width + x) * channels;
    float* const to = reinterpret_cast<float*>(packed.data) + 4 * (row * width + x) * groups;
    if (channels == 3) {
        to[0] = factors.data[0] * from[0], to[1] = factors.data[1] * from[1], to[2] = factors.data[2] * from[2];
        to[3] = 0.0f;
        return;
    }
    for (int c = 0; c < 4 * groups; ++c)
        to[c] = c < channels ? factors.data[c] * from[c] : 0.0f;
    """
)
def pack_pixel(  # type: ignore[empty-body]
    guides: wp.array2d[float],
    factors: wp.array1d[float],
    channels: int,
    groups: int,
    width: int,
    row: int,
    x: int,
    packed: wp.array2d[wp.vec4],
) -> None:
    """`pack` for one pixel."""


@wp.kernel
def pack(
    # In:
    first_row: int,
    guides_in: wp.array2d[float],
    factors_in: wp.array1d[float],
    groups: int,
    # Out:
    packed_out: wp.array2d[wp.vec4],
) -> None:
    """Multiply channels by their factors and put four of them into each vec4, the last filled up with 0."""
    row, x = wp.tid()
    width = packed_out.shape[1] // groups
    pack_pixel(guides_in, factors_in, factors_in.shape[0], groups, width, first_row + row, x, packed_out)


@wp.func
def first_covered(position: int, side: int, coarse_side: int) -> int:
    """First pixel of a side that a coarse pixel covers a part of."""
    return position * side // coarse_side


@wp.func
def end_covered(position: int, side: int, coarse_side: int) -> int:
    """The pixel behind the last one that a coarse pixel covers a part of."""
    return ((position + 1) * side + coarse_side - 1) // coarse_side


@wp.func_native(
    """
    const int height = size[0], width = size[1], coarse_height = coarse_size[0], coarse_width = coarse_size[1];
    const int batch = row / coarse_height, y = row % coarse_height;
    float* const to = reinterpret_cast<float*>(coarse.data) + 4 * (row * coarse_width + x) * groups;
    const float* const from = reinterpret_cast<const float*>(packed.data) + 4 * batch * height * width * groups;
    if (2 * coarse_height == height && 2 * coarse_width == width) {
        const float* const upper = from + 4 * (2 * y * width + 2 * x) * groups;
        const float* const lower = upper + 4 * width * groups;
        for (int c = 0; c < 4 * groups; ++c)
            to[c] = 0.25f * ((upper[c] + upper[4 * groups + c]) + (lower[c] + lower[4 * groups + c]));
        return;
    }
    for (int c = 0; c < 4 * groups; ++c)
        to[c] = 0.0f;
    float weight = 0.0f;
    for (int sy = y * height / coarse_height; sy * coarse_height < (y + 1) * height; ++sy) {
        const int top = sy * coarse_height > y * height ? sy * coarse_height : y * height;
        const int end_y = (sy + 1) * coarse_height, bottom = end_y < (y + 1) * height ? end_y : (y + 1) * height;
        for (int sx = x * width / coarse_width; sx * coarse_width < (x + 1) * width; ++sx) {
            const int left = sx * coarse_width > x * width ? sx * coarse_width : x * width;
            const int end_x = (sx + 1) * coarse_width, right = end_x < (x + 1) * width ? end_x : (x + 1) * width;
            // In parts of a pixel: whole numbers keep it exact.
            const float share = (float)(bottom - top) * (float)(right - left);
            for (int c = 0; c < 4 * groups; ++c)
                to[c] += share * from[4 * (sy * width + sx) * groups + c];
            weight += share;
        }
    }
    for (int c = 0; c < 4 * groups; ++c)
        to[c] /= weight;
    """
)
def shrink_pixel(  # type: ignore[empty-body]
    packed: wp.array2d[wp.vec4],
    size: wp.vec2i,
    coarse_size: wp.vec2i,
    groups: int,
    row: int,
    x: int,
    coarse: wp.array2d[wp.vec4],
) -> None:
    """`shrink` for one pixel."""


@wp.kernel
def shrink(
    # In:
    first_row: int,
    packed_in: wp.array2d[wp.vec4],
    size: wp.vec2i,
    coarse_size: wp.vec2i,
    groups: int,
    # Out:
    packed_out: wp.array2d[wp.vec4],
) -> None:
    """Area mean of packed guides; sizes are (height, width) of one picture."""
    row, x = wp.tid()
    shrink_pixel(packed_in, size, coarse_size, groups, first_row + row, x, packed_out)


@wp.kernel
def shrink_mask(
    # In:
    first_row: int,
    mask_in: wp.array2d[wp.uint8],
    size: wp.vec2i,
    coarse_size: wp.vec2i,
    # Out:
    mask_out: wp.array2d[wp.uint8],
) -> None:
    """Mark coarse pixels that cover a part of any marked pixel, so that every marked pixel is within a marked one."""
    row, x = wp.tid()
    row += first_row
    batch = row // coarse_size[0]
    y = row - batch * coarse_size[0]
    mark = wp.uint8(0)
    for sy in range(first_covered(y, size[0], coarse_size[0]), end_covered(y, size[0], coarse_size[0])):
        for sx in range(first_covered(x, size[1], coarse_size[1]), end_covered(x, size[1], coarse_size[1])):
            if mask_in[batch * size[0] + sy, sx] != wp.uint8(0):
                mark = wp.uint8(1)
    mask_out[row, x] = mark


@wp.kernel
def count_marks(
    # In:
    first_row: int,
    mask_in: wp.array2d[wp.uint8],
    # Out:
    count_out: wp.array2d[int],
) -> None:
    """1 where the mask is nonzero, to be summed up."""
    row, x = wp.tid()
    row += first_row
    count_out[row, x] = wp.where(mask_in[row, x] != wp.uint8(0), 1, 0)


@wp.kernel
def list_marks(
    # In:
    first_row: int,
    mask_in: wp.array2d[wp.uint8],
    place_in: wp.array2d[int],
    # Out:
    marked_out: wp.array1d[int],
) -> None:
    """Write each marked pixel to its own place in the list; `place_in` counts marks up to and with a pixel."""
    row, x = wp.tid()
    row += first_row
    if mask_in[row, x] != wp.uint8(0):
        marked_out[place_in[row, x] - 1] = row * mask_in.shape[1] + x
