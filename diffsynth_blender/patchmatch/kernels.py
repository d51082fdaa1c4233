"""One round of PatchMatch: propagation, then random search, for every pixel at once from the last round's field.

Reading the last round only (Jacobi) makes the result independent of the order of pixels, so of the
number of threads and of the device. A candidate is taken only if strictly better: the error of a
pixel never rises, and a field that is exact stays exactly what it is.

Barnes et al., "PatchMatch", 2009, section 3.2.
"""

import warp as wp

from .patch import NO_MATCH, Pair, allowed, patch_error

wp.set_module_options({"enable_backward": False})

CHUNK = wp.constant(64)
"""Pixels of the list that make one row of a launch, the unit that is shared out to threads."""


NEAR = wp.constant(0.125)
"""A position this near to the best [px] is no candidate: neighbours of a smooth initial field all differ by a little,
and trying them doubled the time of a match; the sub-pixel steps go there by themselves."""

PCG_STEP = wp.constant(wp.uint32(2891336453))
"""Increment of `scramble`; a constant, since as a literal it would be taken for a signed number."""


@wp.func
def scramble(value: wp.uint32) -> wp.uint32:
    """The PCG hash: 32 bits that look random (Jarzynski and Olano, "Hash functions for GPU rendering", 2020)."""
    state = value * wp.uint32(747796405) + PCG_STEP
    word = ((state >> ((state >> wp.uint32(28)) + wp.uint32(4))) ^ state) * wp.uint32(277803737)
    return (word >> wp.uint32(22)) ^ word


def random_key(seed: int, level: int, iteration: int) -> int:
    """Return what the random numbers of one round start from; other rounds and seeds start elsewhere."""
    return (seed * 2654435761 + level * 40503 + iteration * 2246822519) % 2**32


@wp.func
def random_step(value: wp.uint32, reach: int) -> wp.vec2:
    """Whole steps from -reach to reach in x and y, from the halves of one random number."""
    span = wp.uint32(2 * reach + 1)
    dx = int(((value & wp.uint32(65535)) * span) >> wp.uint32(16)) - reach
    dy = int(((value >> wp.uint32(16)) * span) >> wp.uint32(16)) - reach
    return wp.vec2(float(dx), float(dy))


@wp.func
def pixel_key(key: wp.uint32, x: int, y: int) -> wp.uint32:
    """Random numbers belong to a pixel of a picture, wherever in a batch the picture is."""
    return scramble(key + scramble(wp.uint32(x) + wp.uint32(65536) * wp.uint32(y)))


@wp.func
def nearest_pixel(pair: Pair, position: wp.vec2) -> wp.vec2:
    """The source pixel nearest to a position, which may lie outside."""
    return wp.vec2(
        wp.clamp(wp.floor(position[0] + 0.5), 0.0, float(pair.source_width - 1)),
        wp.clamp(wp.floor(position[1] + 0.5), 0.0, float(pair.source_height - 1)),
    )


@wp.func
def searched_pixel(pair: Pair, position: int) -> int:
    """Pixel at a position of the list of pixels to be matched, -1 behind its end."""
    if position >= pair.pixel_count:
        return -1
    if pair.pixels.shape[0] == 0:
        return position
    return pair.pixels[position]


@wp.func
def better(pair: Pair, batch: int, x: int, y: int, candidate: wp.vec2, best: wp.vec2, best_error: float) -> float:
    """Error of a candidate that can be read and is not near the best, else `NO_MATCH`."""
    if wp.abs(candidate[0] - best[0]) < NEAR and wp.abs(candidate[1] - best[1]) < NEAR:
        return NO_MATCH
    if not allowed(pair, batch, candidate):
        return NO_MATCH
    return patch_error(pair, batch, x, y, candidate, best_error)


@wp.func
def suggested(pair: Pair, nnf: wp.array2d[wp.vec2], row: int, x: int, y: int, side: int) -> wp.vec2:
    """Where a pixel lies if it moved as one of its four neighbours; NaN beyond the border."""
    dx = (side & 1) * (side - 2)
    dy = (1 - (side & 1)) * (side - 1)
    if x + dx < 0 or x + dx >= pair.width or y + dy < 0 or y + dy >= pair.height:
        return wp.vec2(wp.nan, wp.nan)
    return nnf[row + dy, x + dx] - wp.vec2(float(dx), float(dy))


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
    # Out:
    nnf_out: wp.array2d[wp.vec2],
    error_out: wp.array2d[float],
) -> None:
    """Try what the four neighbours suggest, then `search_count` random positions around the best."""
    chunk, place = wp.tid()
    pixel = searched_pixel(pair, (first_row + chunk) * CHUNK + place)
    if pixel < 0:
        return
    row = pixel // pair.width
    x = pixel - row * pair.width
    batch = row // pair.height
    y = row - batch * pair.height
    best = nnf_in[row, x]
    best_error = error_in[row, x]
    pixel_random = pixel_key(key, x, y)
    candidates = 4 + search_count
    if best_error == 0.0:
        # Nothing is better: what stands still in a film costs nothing.
        candidates = 0
    # One loop and one call: Warp hands structs over by value, and only a function called once is sure to be inlined.
    for k in range(candidates):
        if k < 4:
            candidate = suggested(pair, nnf_in, row, x, y, k)
        else:
            value = scramble(pixel_random + wp.uint32(k - 4))
            candidate = nearest_pixel(pair, best + random_step(value, wp.max(reach >> (k - 4), 1)))
        error = better(pair, batch, x, y, candidate, best, best_error)
        if error < best_error:
            best = candidate
            best_error = error
    nnf_out[row, x] = best
    error_out[row, x] = best_error
