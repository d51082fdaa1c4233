"""How far two patches differ: the one definition of match error, as Warp functions.

Guides are packed: a pixel is `groups` vec4 side by side, already multiplied by the square roots of
the channels' weights, so that a row of a patch is one run of memory whatever the channels are.
"""

import warp as wp

from .native import PATCH_ERROR

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


@wp.func_native(
    PATCH_ERROR
    + """
    const int sx = (int)position[0], sy = (int)position[1];
    const float fx = position[0] - (float)sx, fy = position[1] - (float)sy;
    if (fx == 0.0f && fy == 0.0f)
        return whole_error(is_inner(x, y), batch, x, y, sx, sy, limit);
    return clipped_error(batch, x, y, sx, sy, fx, fy, limit);
    """
)
def patch_error(  # type: ignore[empty-body]
    pair: Pair, batch: int, x: int, y: int, position: wp.vec2, limit: float
) -> float:
    """Weighted mean squared difference a pixel, over the patch; `NO_MATCH` once it is sure to exceed `limit`.

    Patches are clipped where either leaves its picture; between pixels the source is read bilinearly.
    """


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
