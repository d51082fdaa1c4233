"""How far two patches differ: the one definition of match error, as Warp functions.

Guides are packed: a pixel is `groups` vec4 side by side, already multiplied by the square roots of
the channels' weights, so that a row of a patch is one run of memory whatever the channels are.
"""

import warp as wp

from .rows import rows_error, rows_error_between

wp.set_module_options({"enable_backward": False})

NO_MATCH = wp.constant(3.0e38)
"""Error of a candidate that is not better than the limit it was tested against."""


@wp.struct
class Pair:
    """One pyramid level of a batch of B pairs; rows of all pictures of a side lie below each other."""

    target: wp.array2d[wp.vec4]
    """Packed guides, shape (B * height, width * groups)."""
    source: wp.array2d[wp.vec4]
    """Packed guides, shape (B * source_height, source_width * groups)."""
    source_mask: wp.array2d[wp.uint8]
    """0 where a source pixel may not be matched to, shape (B * source_height, source_width)."""
    pixels: wp.array1d[int]
    """Target pixels to be matched, as row * width + column; empty for all of them."""
    pixel_count: int
    """How many pixels are to be matched."""
    height: int
    """Rows of one target [px]."""
    width: int
    """Columns of a target [px]."""
    source_height: int
    """Rows of one source [px]."""
    source_width: int
    """Columns of a source [px]."""
    groups: int
    """vec4 a pixel."""
    radius: int
    """Half the patch size, rounded down [px]."""


@wp.func
def whole_error(pair: Pair, batch: int, x: int, y: int, sx: int, sy: int, limit: float) -> float:
    """Error of matching target pixel (x, y) to source pixel (sx, sy), or `NO_MATCH` as soon as it exceeds `limit`.

    Patches are clipped where either leaves its picture; the mean is over what is left.
    """
    top = wp.max(-pair.radius, wp.max(-y, -sy))
    bottom = wp.min(pair.radius, wp.min(pair.height - 1 - y, pair.source_height - 1 - sy))
    left = wp.max(-pair.radius, wp.max(-x, -sx))
    right = wp.min(pair.radius, wp.min(pair.width - 1 - x, pair.source_width - 1 - sx))
    columns = right - left + 1
    count = float((bottom - top + 1) * columns)
    bound = limit * count
    target_pitch = pair.width * pair.groups
    source_pitch = pair.source_width * pair.groups
    total = rows_error(
        pair.target,
        pair.source,
        (batch * pair.height + y + top) * target_pitch + (x + left) * pair.groups,
        (batch * pair.source_height + sy + top) * source_pitch + (sx + left) * pair.groups,
        target_pitch,
        source_pitch,
        bottom - top + 1,
        columns * pair.groups,
        bound,
    )
    if total > bound:
        return NO_MATCH
    return total / count


@wp.func
def between_error(pair: Pair, batch: int, x: int, y: int, position: wp.vec2, limit: float) -> float:
    """`whole_error` for a source position between pixels, read bilinearly."""
    sx = int(wp.floor(position[0]))
    sy = int(wp.floor(position[1]))
    fx = position[0] - float(sx)
    fy = position[1] - float(sy)
    # Neighbours with weight 0 need not exist.
    beyond_x = wp.where(fx > 0.0, 1, 0)
    beyond_y = wp.where(fy > 0.0, 1, 0)
    top = wp.max(-pair.radius, wp.max(-y, -sy))
    bottom = wp.min(pair.radius, wp.min(pair.height - 1 - y, pair.source_height - 1 - beyond_y - sy))
    left = wp.max(-pair.radius, wp.max(-x, -sx))
    right = wp.min(pair.radius, wp.min(pair.width - 1 - x, pair.source_width - 1 - beyond_x - sx))
    columns = right - left + 1
    count = float((bottom - top + 1) * columns)
    bound = limit * count
    target_pitch = pair.width * pair.groups
    source_pitch = pair.source_width * pair.groups
    total = rows_error_between(
        pair.target,
        pair.source,
        (batch * pair.height + y + top) * target_pitch + (x + left) * pair.groups,
        (batch * pair.source_height + sy + top) * source_pitch + (sx + left) * pair.groups,
        target_pitch,
        source_pitch,
        beyond_x * pair.groups,
        beyond_y * source_pitch,
        fx,
        fy,
        bottom - top + 1,
        columns * pair.groups,
        bound,
    )
    if total > bound:
        return NO_MATCH
    return total / count


@wp.func
def patch_error(pair: Pair, batch: int, x: int, y: int, position: wp.vec2, limit: float) -> float:
    """Weighted mean squared difference a pixel, over the patch; `NO_MATCH` once it is sure to exceed `limit`."""
    sx = int(position[0])
    sy = int(position[1])
    if float(sx) == position[0] and float(sy) == position[1]:
        return whole_error(pair, batch, x, y, sx, sy, limit)
    return between_error(pair, batch, x, y, position, limit)


@wp.func
def in_source(pair: Pair, position: wp.vec2) -> bool:
    """Whether a position can be read; false for NaN."""
    if not (position[0] >= 0.0 and position[1] >= 0.0):
        return False
    return position[0] <= float(pair.source_width - 1) and position[1] <= float(pair.source_height - 1)


@wp.func
def allowed(pair: Pair, batch: int, position: wp.vec2) -> bool:
    """Whether all source pixels that a position reads may be matched to."""
    if not in_source(pair, position):
        return False
    if pair.source_mask.shape[0] == 0:
        return True
    left = int(wp.floor(position[0]))
    right = int(wp.ceil(position[0]))
    top = batch * pair.source_height + int(wp.floor(position[1]))
    bottom = batch * pair.source_height + int(wp.ceil(position[1]))
    mask = pair.source_mask
    upper = mask[top, left] != wp.uint8(0) and mask[top, right] != wp.uint8(0)
    return upper and mask[bottom, left] != wp.uint8(0) and mask[bottom, right] != wp.uint8(0)
