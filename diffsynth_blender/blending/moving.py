"""Kernels that gather the sources of an accurate blend where their links and their registration lead.

A moved source is a vec4 a pixel of the target: its colour there, in the target's light, and its weight.
"""

import warp as wp

from .gather import ALL_TAPS, CORNER_TAPS, gather, has_tap
from .grid import read_grid
from .links import GAIN_STEPS, MIXED, OWN_WEIGHT, ROOMY, STEPS_PER_PIXEL, Link, link_place

wp.set_module_options({"enable_backward": False})


@wp.func
def jacobian(links: wp.array3d[Link], k: int, x: int, y: int) -> wp.mat22:
    """How the position in the source changes from pixel to pixel of the target; identity where neighbours lack."""
    matrix = wp.mat22(1.0, 0.0, 0.0, 1.0)
    if x > 0 and x < links.shape[2] - 1:
        left = links[k, y, x - 1]
        right = links[k, y, x + 1]
        if left.weight != wp.uint8(0) and right.weight != wp.uint8(0):
            matrix[0, 0] = 1.0 + (float(right.dx) - float(left.dx)) / (2.0 * STEPS_PER_PIXEL)
            matrix[1, 0] = (float(right.dy) - float(left.dy)) / (2.0 * STEPS_PER_PIXEL)
    if y > 0 and y < links.shape[1] - 1:
        upper = links[k, y - 1, x]
        lower = links[k, y + 1, x]
        if upper.weight != wp.uint8(0) and lower.weight != wp.uint8(0):
            matrix[0, 1] = (float(lower.dx) - float(upper.dx)) / (2.0 * STEPS_PER_PIXEL)
            matrix[1, 1] = 1.0 + (float(lower.dy) - float(upper.dy)) / (2.0 * STEPS_PER_PIXEL)
    return matrix


@wp.func
def shift_taps(link: Link, columns: int, rows: int) -> int:
    """The taps of a link after a move by whole pixels; pixels that the link knows nothing of may not be read."""
    if columns == 0 and rows == 0:
        return int(link.taps)
    taps = wp.int32(0)
    if wp.abs(columns) > 1 or wp.abs(rows) > 1:
        return taps
    if (int(link.flags) & ROOMY) != 0:
        return ALL_TAPS
    for j in range(4):
        for i in range(4):
            column = i + columns
            row = j + rows
            if column >= 0 and row >= 0 and column < 4 and row < 4:
                if has_tap(int(link.taps), column, row):
                    taps |= 1 << (4 * j + i)
    return taps


@wp.func
def between_pixels(place: float) -> float:
    """0 on a pixel, 1/2 halfway to the next; an interpolation's loss of the highest frequencies goes like this."""
    share = place - wp.floor(place)
    return 2.0 * share * (1.0 - share)


@wp.kernel
def move_sources(
    # In:
    first_row: int,
    frames: wp.array3d[wp.vec3],
    slots: wp.array1d[int],
    falloffs: wp.array1d[float],
    links: wp.array3d[Link],
    shifts: wp.array3d[wp.vec2],
    follows: wp.array3d[float],
    # Out:
    moved_out: wp.array3d[wp.vec4],
    softness_out: wp.array2d[float],
) -> None:
    """Gather every source where its link and its shift lead, in the target's light; the weight is the fourth value.

    Softness is the mean over the sources of what interpolation takes from them: 0 on pixels, 1 amid four of them.
    """
    row, x = wp.tid()
    y = first_row + row
    follow = read_grid(follows, 0, x, y)
    softness = wp.float32(0.0)
    weight = wp.float32(0.0)
    for k in range(slots.shape[0]):
        link = links[k, y, x]
        moved = wp.vec4(0.0)
        if link.weight != wp.uint8(0):
            place = link_place(link, x, y)
            sx = place[0]
            sy = place[1]
            taps = int(link.taps)
            shift = jacobian(links, k, x, y) * read_grid(shifts, k, x, y)
            columns = int(wp.floor(sx + shift[0]) - wp.floor(sx))
            rows = int(wp.floor(sy + shift[1]) - wp.floor(sy))
            moved_taps = shift_taps(link, columns, rows)
            if (moved_taps & CORNER_TAPS) != 0:
                sx += shift[0]
                sy += shift[1]
                taps = moved_taps
            light = wp.pow(2.0, follow * float(link.gain) / GAIN_STEPS)
            colour = light * gather(frames, slots[k], sx, sy, taps)
            moved = wp.vec4(colour[0], colour[1], colour[2], falloffs[k] * float(link.weight) / OWN_WEIGHT)
            softness += moved[3] * (between_pixels(sx) + between_pixels(sy))
            weight += moved[3]
        moved_out[k, y, x] = moved
    softness_out[y, x] = softness / wp.max(weight, 1.0e-20)


@wp.kernel
def find_pure(
    # In:
    first_row: int,
    links: wp.array3d[Link],
    # Out:
    pure_out: wp.array2d[wp.uint8],
) -> None:
    """Mark pixels away from silhouettes: neither they nor what they read mixes the colours of two surfaces."""
    row, x = wp.tid()
    y = first_row + row
    pure = wp.uint8(1)
    for k in range(links.shape[0]):
        link = links[k, y, x]
        if link.weight != wp.uint8(0) and (int(link.flags) & MIXED) != 0:
            pure = wp.uint8(0)
    pure_out[y, x] = pure


@wp.func
def colour_of(moved: wp.vec4) -> wp.vec3:
    """The first three components."""
    return wp.vec3(moved[0], moved[1], moved[2])
