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
    row += first_row
    channels = factors_in.shape[0]
    for group in range(groups):
        packed = wp.vec4(0.0)
        for lane in range(4):
            channel = 4 * group + lane
            if channel < channels:
                packed[lane] = factors_in[channel] * guides_in[row, x * channels + channel]
        packed_out[row, x * groups + group] = packed


@wp.func
def first_covered(position: int, side: int, coarse_side: int) -> int:
    """First pixel of a side that a coarse pixel covers a part of."""
    return position * side // coarse_side


@wp.func
def end_covered(position: int, side: int, coarse_side: int) -> int:
    """The pixel behind the last one that a coarse pixel covers a part of."""
    return ((position + 1) * side + coarse_side - 1) // coarse_side


@wp.func
def covered(pixel: int, position: int, side: int, coarse_side: int) -> float:
    """How much of a pixel a coarse pixel covers along one side, in 1/coarse_side; whole numbers keep it exact."""
    start = wp.max(pixel * coarse_side, position * side)
    end = wp.min((pixel + 1) * coarse_side, (position + 1) * side)
    return float(end - start)


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
    row += first_row
    batch = row // coarse_size[0]
    y = row - batch * coarse_size[0]
    for group in range(groups):
        total = wp.vec4(0.0)
        weight = wp.float32(0.0)
        for sy in range(first_covered(y, size[0], coarse_size[0]), end_covered(y, size[0], coarse_size[0])):
            for sx in range(first_covered(x, size[1], coarse_size[1]), end_covered(x, size[1], coarse_size[1])):
                share = covered(sy, y, size[0], coarse_size[0]) * covered(sx, x, size[1], coarse_size[1])
                total += share * packed_in[batch * size[0] + sy, sx * groups + group]
                weight += share
        packed_out[row, x * groups + group] = total / weight


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
