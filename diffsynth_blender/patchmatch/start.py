"""Where a pyramid level starts: the given field, the identity, and what the coarser level found.

Pictures of all levels cover the same area, so position p of a level with sides n lies at
(p + 0.5) * m / n - 0.5 in a level with sides m; that is exact on odd sides as well.
"""

import warp as wp

from .kernels import CHUNK, nearest_pixel, pixel_key, searched_pixel
from .patch import NO_MATCH, Pair, allowed, best_of, if_allowed, in_source

wp.set_module_options({"enable_backward": False})


@wp.func
def carried(position: float, old_side: int, new_side: int) -> float:
    """A position in a picture of `old_side`, in one of `new_side` that shows the same."""
    if old_side == new_side:
        return position
    return (position + 0.5) * float(new_side) / float(old_side) - 0.5


@wp.func
def containing(position: int, side: int, coarse_side: int) -> int:
    """The pixel of a picture of `coarse_side` that contains the centre of a pixel of one of `side`."""
    return wp.min((2 * position + 1) * coarse_side // (2 * side), coarse_side - 1)


@wp.kernel
def place_donors(
    # In:
    first_row: int,
    pair: Pair,
    full_size: wp.vec2i,
    full_source_size: wp.vec2i,
    initial_in: wp.array2d[wp.vec2],
    # Out:
    nnf_out: wp.array2d[wp.vec2],
    error_out: wp.array2d[float],
) -> None:
    """Give every pixel the initial position, carried to this level; NaN where there is none or it is outside.

    Sizes are (height, width) of the level that `initial_in` belongs to.
    """
    row, x = wp.tid()
    row += first_row
    batch = row // pair.height
    y = row - batch * pair.height
    nnf_out[row, x] = wp.vec2(wp.nan, wp.nan)
    error_out[row, x] = NO_MATCH
    if initial_in.shape[0] == 0:
        return
    fine_x = containing(x, pair.width, full_size[1])
    fine_y = containing(y, pair.height, full_size[0])
    position = initial_in[batch * full_size[0] + fine_y, fine_x]
    if full_size[0] != pair.height or full_size[1] != pair.width:
        # The offset within the level of the field is kept; coarse levels need no fractions.
        position += wp.vec2(
            carried(float(x), pair.width, full_size[1]) - float(fine_x),
            carried(float(y), pair.height, full_size[0]) - float(fine_y),
        )
        position = wp.vec2(
            wp.floor(carried(position[0], full_source_size[1], pair.source_width) + 0.5),
            wp.floor(carried(position[1], full_source_size[0], pair.source_height) + 0.5),
        )
    if in_source(pair, position):
        nnf_out[row, x] = position


@wp.func
def random_allowed(pair: Pair, batch: int, value: wp.uint32) -> wp.vec2:
    """An allowed source pixel: the first one from a random place on; NaN if there is none."""
    count = pair.source_height * pair.source_width
    place = int(value % wp.uint32(count))
    for _i in range(count):
        position = wp.vec2(float(place % pair.source_width), float(place // pair.source_width))
        if allowed(pair, batch, position):
            return position
        place = (place + 1) % count
    return wp.vec2(wp.nan, wp.nan)


@wp.func
def allowed_within(pair: Pair, batch: int, coarse: wp.vec2, coarse_size: wp.vec2i) -> wp.vec2:
    """An allowed source pixel among those that a coarse pixel covers; NaN if there is none."""
    left = carried(coarse[0] - 0.5, coarse_size[1], pair.source_width) + 0.5
    right = carried(coarse[0] + 0.5, coarse_size[1], pair.source_width) + 0.5
    top = carried(coarse[1] - 0.5, coarse_size[0], pair.source_height) + 0.5
    bottom = carried(coarse[1] + 0.5, coarse_size[0], pair.source_height) + 0.5
    for sy in range(int(top), int(wp.ceil(bottom))):
        for sx in range(int(left), int(wp.ceil(right))):
            position = wp.vec2(float(sx), float(sy))
            if allowed(pair, batch, position):
                return position
    return wp.vec2(wp.nan, wp.nan)


@wp.func
def enlarged(
    pair: Pair, batch: int, x: int, y: int, coarse_nnf: wp.array2d[wp.vec2], size: wp.vec2i, source_size: wp.vec2i
) -> wp.vec2:
    """What the coarse pixel that contains (x, y) has found, carried to this level and made an allowed pixel."""
    coarse_x = containing(x, pair.width, size[1])
    coarse_y = containing(y, pair.height, size[0])
    coarse = coarse_nnf[batch * size[0] + coarse_y, coarse_x]
    if not (coarse[0] >= 0.0):
        return coarse
    position = wp.vec2(
        carried(coarse[0], source_size[1], pair.source_width)
        + (float(x) - carried(float(coarse_x), size[1], pair.width)),
        carried(coarse[1], source_size[0], pair.source_height)
        + (float(y) - carried(float(coarse_y), size[0], pair.height)),
    )
    position = nearest_pixel(pair, position)
    if allowed(pair, batch, position):
        return position
    return allowed_within(pair, batch, coarse, source_size)


@wp.kernel
def start_level(
    # In:
    first_row: int,
    pair: Pair,
    key: wp.uint32,
    coarse_size: wp.vec2i,
    coarse_source_size: wp.vec2i,
    has_initial: bool,
    round_initial: bool,
    coarse_nnf: wp.array2d[wp.vec2],
    donors_in: wp.array2d[wp.vec2],
    # Out:
    nnf_out: wp.array2d[wp.vec2],
    error_out: wp.array2d[float],
) -> None:
    """Take the best of the initial position, the identity, and the coarser level's match or a random pixel.

    In this order, so that equal errors leave the initial position, then the identity.
    """
    chunk, place = wp.tid()
    pixel = searched_pixel(pair, (first_row + chunk) * CHUNK + place)
    if pixel < 0:
        return
    row = pixel // pair.width
    x = pixel - row * pair.width
    batch = row // pair.height
    y = row - batch * pair.height
    initial = wp.vec2(wp.nan, wp.nan)
    if has_initial:
        initial = donors_in[row, x]
        # Rounding would make a pixel out of NaN.
        if round_initial and in_source(pair, initial):
            initial = nearest_pixel(pair, initial)
    across = carried(float(x), pair.width, pair.source_width)
    identity = nearest_pixel(pair, wp.vec2(across, carried(float(y), pair.height, pair.source_height)))
    if coarse_size[0] > 0:
        found = enlarged(pair, batch, x, y, coarse_nnf, coarse_size, coarse_source_size)
    else:
        found = random_allowed(pair, batch, pixel_key(key, x, y))
    best = best_of(
        pair,
        batch,
        x,
        y,
        if_allowed(pair, batch, initial),
        if_allowed(pair, batch, identity),
        if_allowed(pair, batch, found),
    )
    nnf_out[row, x] = wp.vec2(best[0], best[1])
    error_out[row, x] = best[2]
