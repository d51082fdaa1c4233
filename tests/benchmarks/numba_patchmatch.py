"""The same patch match in numba: what a good numpy programmer would ship, to measure the product's engine against.

The same pyramid, candidates, random numbers, order of trials and sub-pixel steps as `diffsynth_blender/patchmatch`, so
that both find the same field. Written for speed: one compilation for each patch size and number of channels, so that
the inner loops have constant bounds; fastmath; rows in parallel on all cores; the patch sum ends at the first row that
takes it past the best so far; candidates equal to the best are skipped; interior patches need no bounds. One pair at a
time, whole pictures, no masks: it does less than the product.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numba
import numpy as np

NO_MATCH = np.float32(1.0e30)
"""Stays finite times the pixels of a patch: fastmath knows no infinity."""


class Kernels(NamedTuple):
    """Compiled functions for one patch size and number of channels."""

    start: object
    """(target, source, coarse_nnf, coarse_size..., key) -> nnf, error."""
    improve: object
    """(target, source, key, reach, search_count, nnf, error) -> nnf, error."""


@numba.njit(inline="always")
def scramble(value):
    """The PCG hash, on 32 bits."""
    state = np.uint32(value * np.uint32(747796405) + np.uint32(2891336453))
    word = np.uint32(((state >> ((state >> np.uint32(28)) + np.uint32(4))) ^ state) * np.uint32(277803737))
    return np.uint32((word >> np.uint32(22)) ^ word)


@numba.njit(inline="always")
def pixel_key(key, x, y):
    """What a pixel's random numbers start from."""
    return scramble(np.uint32(key) + scramble(np.uint32(x) + np.uint32(65536) * np.uint32(y)))


@numba.njit(parallel=True, fastmath=True, cache=False)
def shrink(picture, height, width):
    """Area mean at another size."""
    old_height, old_width, channels = picture.shape
    small = np.zeros((height, width, channels), np.float32)
    for y in numba.prange(height):
        for x in range(width):
            weight = np.float32(0.0)
            for sy in range(y * old_height // height, ((y + 1) * old_height + height - 1) // height):
                tall = min((sy + 1) * height, (y + 1) * old_height) - max(sy * height, y * old_height)
                for sx in range(x * old_width // width, ((x + 1) * old_width + width - 1) // width):
                    wide = min((sx + 1) * width, (x + 1) * old_width) - max(sx * width, x * old_width)
                    share = np.float32(tall * wide)
                    weight += share
                    for c in range(channels):
                        small[y, x, c] += share * picture[sy, sx, c]
            for c in range(channels):
                small[y, x, c] /= weight
    return small


@cache
def kernels(radius: int, channels: int) -> Kernels:
    """Compile for one patch size and number of channels; both become constants of the machine code."""
    side = 2 * radius + 1

    @numba.njit(fastmath=True, inline="always")
    def clipped_error(target, source, x, y, sx, sy, limit):
        height, width = target.shape[:2]
        source_height, source_width = source.shape[:2]
        top, bottom = max(-radius, -y, -sy), min(radius, height - 1 - y, source_height - 1 - sy)
        left, right = max(-radius, -x, -sx), min(radius, width - 1 - x, source_width - 1 - sx)
        count = np.float32((bottom - top + 1) * (right - left + 1))
        bound = limit * count
        total = np.float32(0.0)
        for j in range(top, bottom + 1):
            for i in range(left, right + 1):
                for c in range(channels):
                    step = target[y + j, x + i, c] - source[sy + j, sx + i, c]
                    total += step * step
            if total > bound:
                return NO_MATCH
        return total / count

    @numba.njit(fastmath=True, inline="always")
    def patch_error(target, source, x, y, sx, sy, limit):
        height, width = target.shape[:2]
        source_height, source_width = source.shape[:2]
        if (
            min(x, sx) < radius
            or min(y, sy) < radius
            or x >= width - radius
            or y >= height - radius
            or sx >= source_width - radius
            or sy >= source_height - radius
        ):
            return clipped_error(target, source, x, y, sx, sy, limit)
        count = np.float32(side * side)
        bound = limit * count
        total = np.float32(0.0)
        for j in range(side):
            for i in range(side):
                for c in range(channels):
                    step = target[y - radius + j, x - radius + i, c] - source[sy - radius + j, sx - radius + i, c]
                    total += step * step
            if total > bound:
                return NO_MATCH
        return total / count

    @numba.njit(parallel=True, fastmath=True)
    def start(target, source, coarse, coarse_height, coarse_width, coarse_source_height, coarse_source_width, key):
        height, width = target.shape[:2]
        source_height, source_width = source.shape[:2]
        nnf = np.empty((height, width, 2), np.int32)
        error = np.empty((height, width), np.float32)
        for row in numba.prange(height):
            # The loop's own variable is unsigned.
            y = np.int64(row)
            for x in range(width):
                best_x = min(int((x + 0.5) * source_width / width), source_width - 1)
                best_y = min(int((y + 0.5) * source_height / height), source_height - 1)
                best = patch_error(target, source, x, y, best_x, best_y, NO_MATCH)
                if coarse_height > 0:
                    cx, cy = (2 * x + 1) * coarse_width // (2 * width), (2 * y + 1) * coarse_height // (2 * height)
                    at_x = (coarse[cy, cx, 0] + 0.5) * source_width / coarse_source_width - 0.5
                    at_y = (coarse[cy, cx, 1] + 0.5) * source_height / coarse_source_height - 0.5
                    at_x += x - ((cx + 0.5) * width / coarse_width - 0.5)
                    at_y += y - ((cy + 0.5) * height / coarse_height - 0.5)
                    sx = min(max(int(np.floor(at_x + 0.5)), 0), source_width - 1)
                    sy = min(max(int(np.floor(at_y + 0.5)), 0), source_height - 1)
                else:
                    place = pixel_key(key, x, y) % np.uint32(source_width * source_height)
                    sy, sx = np.int64(place) // source_width, np.int64(place) % source_width
                if sx != best_x or sy != best_y:
                    found = patch_error(target, source, x, y, sx, sy, best)
                    if found < best:
                        best, best_x, best_y = found, sx, sy
                nnf[y, x, 0], nnf[y, x, 1], error[y, x] = best_x, best_y, best
        return nnf, error

    @numba.njit(parallel=True, fastmath=True)
    def improve(target, source, key, reach, search_count, nnf, error):
        height, width = target.shape[:2]
        source_height, source_width = source.shape[:2]
        nnf_out = np.empty_like(nnf)
        error_out = np.empty_like(error)
        for row in numba.prange(height):
            # The loop's own variable is unsigned.
            y = np.int64(row)
            for x in range(width):
                best, best_x, best_y = error[y, x], nnf[y, x, 0], nnf[y, x, 1]
                for side_index in range(4):
                    dx = (side_index & 1) * (side_index - 2)
                    dy = (1 - (side_index & 1)) * (side_index - 1)
                    if 0 <= x + dx < width and 0 <= y + dy < height:
                        sx, sy = nnf[y + dy, x + dx, 0] - dx, nnf[y + dy, x + dx, 1] - dy
                        if (sx != best_x or sy != best_y) and 0 <= sx < source_width and 0 <= sy < source_height:
                            found = patch_error(target, source, x, y, sx, sy, best)
                            if found < best:
                                best, best_x, best_y = found, sx, sy
                random = pixel_key(key, x, y)
                for k in range(search_count):
                    value = scramble(random + np.uint32(k))
                    radius_k = max(reach >> k, 1)
                    span = np.uint32(2 * radius_k + 1)
                    step_x = np.int64(((value & np.uint32(65535)) * span) >> np.uint32(16)) - radius_k
                    step_y = np.int64(((value >> np.uint32(16)) * span) >> np.uint32(16)) - radius_k
                    sx = min(max(best_x + step_x, 0), source_width - 1)
                    sy = min(max(best_y + step_y, 0), source_height - 1)
                    if sx != best_x or sy != best_y:
                        found = patch_error(target, source, x, y, sx, sy, best)
                        if found < best:
                            best, best_x, best_y = found, sx, sy
                nnf_out[y, x, 0], nnf_out[y, x, 1], error_out[y, x] = best_x, best_y, best
        return nnf_out, error_out

    return Kernels(start, improve)


def match(target, source, options, *, reach: int, coarsest_effort: int, level_sizes, random_key):
    """Return the field (H, W, 2) in whole pixels and its error (H, W) for one pair of pictures (H, W, C).

    Args:
        target: guides, float32, channels of weight 1.
        source: the same.
        options: the product's, without sub-pixel steps.
        reach: radius of the first random candidate at all levels but the coarsest [px].
        coarsest_effort: factor on the rounds of the coarsest level.
        level_sizes: the product's sizes of the pyramid, finest first.
        random_key: the product's start of a round's random numbers.
    """
    functions = kernels(options.patch_size // 2, target.shape[2])
    pictures = [(target, source)]
    for size, source_size in level_sizes[1:]:
        pictures.append((shrink(pictures[-1][0], *size), shrink(pictures[-1][1], *source_size)))
    nnf, coarse = np.zeros((1, 1, 2), np.int32), (0, 0, 0, 0)
    for level in reversed(range(len(pictures))):
        small, small_source = pictures[level]
        nnf, error = functions.start(small, small_source, nnf, *coarse, np.uint32(random_key(options.seed, level, 0)))
        level_reach, search_count, iterations = reach, options.search_count, options.iterations
        if level == len(pictures) - 1:
            level_reach = max(small_source.shape[:2])
            search_count = max(search_count, level_reach.bit_length())
            iterations *= coarsest_effort
        for iteration in range(iterations):
            key = np.uint32(random_key(options.seed, level, iteration + 1))
            nnf, error = functions.improve(small, small_source, key, level_reach, search_count, nnf, error)
        coarse = (*small.shape[:2], *small_source.shape[:2])
    return nnf, error
