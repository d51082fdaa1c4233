"""Where a pyramid level starts: the given field, the identity, and what the coarser level found.

Pictures of all levels cover the same area, so position p of a level with sides n lies at
(p + 0.5) * m / n - 0.5 in a level with sides m; that is exact on odd sides as well.
"""

import warp as wp

from .kernels import CHUNK
from .native_start import START
from .patch import NO_MATCH, Pair, in_source

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


@wp.func_native(START)
def start_run(  # type: ignore[empty-body]
    pair: Pair,
    first: int,
    key: wp.uint32,
    coarse_size: wp.vec2i,
    coarse_source_size: wp.vec2i,
    has_initial: bool,
    round_initial: bool,
    coarse_nnf: wp.array2d[wp.vec2],
    donors_in: wp.array2d[wp.vec2],
    nnf_out: wp.array2d[wp.vec2],
    error_out: wp.array2d[float],
) -> None:
    """`start_level` for the pixels of the list from `first` on: `RUN` of them on a processor, one on CUDA."""


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
    first = (first_row + chunk) * CHUNK + place
    start_run(
        pair,
        first,
        key,
        coarse_size,
        coarse_source_size,
        has_initial,
        round_initial,
        coarse_nnf,
        donors_in,
        nnf_out,
        error_out,
    )
