"""One round of PatchMatch: propagation, then random search, for every pixel at once from the last round's field.

Reading the last round only (Jacobi) makes the result independent of the order of pixels, so of the
number of threads and of the device. A candidate is taken only if strictly better: the error of a
pixel never rises, and a field that is exact stays exactly what it is.

Barnes et al., "PatchMatch", 2009, section 3.2.
"""

import warp as wp

from .native_run import RUN
from .native_search import IMPROVE
from .patch import Pair

wp.set_module_options({"enable_backward": False})

CHUNK = wp.constant(RUN)
"""Pixels of the list that make one row of a launch, the unit that is shared out to threads."""


def random_key(seed: int, level: int, iteration: int) -> int:
    """Return what the random numbers of one round start from; other rounds and seeds start elsewhere."""
    return (seed * 2654435761 + level * 40503 + iteration * 2246822519) % 2**32


@wp.func
def searched_pixel(pair: Pair, position: int) -> int:
    """Pixel at a position of the list of pixels to be matched, -1 behind its end."""
    if position >= pair.pixel_count:
        return -1
    if pair.pixels.shape[0] == 0:
        return position
    return pair.pixels[position]


@wp.func_native(IMPROVE)
def improve_run(  # type: ignore[empty-body]
    pair: Pair,
    first: int,
    key: wp.uint32,
    reach: int,
    search_count: int,
    nnf_in: wp.array2d[wp.vec2],
    error_in: wp.array2d[float],
    moved_in: wp.array2d[wp.uint8],
    nnf_out: wp.array2d[wp.vec2],
    error_out: wp.array2d[float],
    moved_out: wp.array2d[wp.uint8],
) -> None:
    """`improve` for the pixels of the list from `first` on: `RUN` of them on a processor, one on CUDA."""


@wp.kernel
def improve(
    # In:
    first_row: int,
    pair: Pair,
    key: wp.uint32,
    reach: int,
    search_count: int,
    nnf_in: wp.array2d[wp.vec2],
    error_in: wp.array2d[float],
    moved_in: wp.array2d[wp.uint8],
    # Out:
    nnf_out: wp.array2d[wp.vec2],
    error_out: wp.array2d[float],
    moved_out: wp.array2d[wp.uint8],
) -> None:
    """Try what the four neighbours suggest, then `search_count` random positions around the best.

    Marks the pixels whose position has changed; only what those suggest is new in the next round.
    """
    chunk, place = wp.tid()
    first = (first_row + chunk) * CHUNK + place
    improve_run(pair, first, key, reach, search_count, nnf_in, error_in, moved_in, nnf_out, error_out, moved_out)
