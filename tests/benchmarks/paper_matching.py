"""The paper's way, as a row of the benchmark: patch matching of rendered frames by their colours, and a uniform mean.

FastBlend's balanced mode with its own settings: three colour channels guide, the picture that is blended takes part
with a tenth of their weight, patches of 13, 11, 9, 7 and 5 pixels in turn at every level of the pyramid, four
propagations and three random candidates within 4 pixels for each size, then the vote of all patches over a pixel and
the mean over the window. Two things differ from it, both mistakes there: patches end at the picture's edge in place of
meeting zeros beyond it, and the last source of a window counts.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import warp as wp

from diffsynth_blender.bands import Bands

wp.set_module_options({"enable_backward": False})

PATCH_SIZES = (13, 11, 9, 7, 5)
GUIDE_WEIGHT, STYLE_WEIGHT = 10.0, 1.0
SEARCH_COUNT = 3
SEARCH_RADIUS = 4
STEPS = ((-1, 0), (1, 0), (0, -1), (0, 1))


@wp.func
def inside(x: int, y: int, shape: wp.vec2i) -> bool:
    """Whether column `x`, row `y` is a pixel."""
    return x >= 0 and y >= 0 and x < shape[1] and y < shape[0]


@wp.func
def patch_error(
    x: int,
    y: int,
    place: wp.vec2i,
    radius: int,
    guides: wp.array3d[wp.vec3],
    styles: wp.array3d[wp.vec3],
    limit: float,
) -> float:
    """Weighted mean squared difference of two patches, target in slot 0 and source in slot 1; may stop at `limit`."""
    shape = wp.vec2i(guides.shape[1], guides.shape[2])
    total = wp.float32(0.0)
    # What lies in both pictures counts, so the number of pixels is known beforehand.
    left = wp.min(radius, wp.min(x, place[0]))
    right = wp.min(radius, shape[1] - 1 - wp.max(x, place[0]))
    up = wp.min(radius, wp.min(y, place[1]))
    down = wp.min(radius, shape[0] - 1 - wp.max(y, place[1]))
    count = float((left + right + 1) * (up + down + 1))
    for dy in range(-up, down + 1):
        for dx in range(-left, right + 1):
            guide = guides[0, y + dy, x + dx] - guides[1, place[1] + dy, place[0] + dx]
            style = styles[0, y + dy, x + dx] - styles[1, place[1] + dy, place[0] + dx]
            total += GUIDE_WEIGHT * wp.dot(guide, guide) + STYLE_WEIGHT * wp.dot(style, style)
        if total > limit * count:
            return total / count
    return total / count


@wp.kernel
def measure_patches(
    # In:
    first_row: int,
    radius: int,
    guides: wp.array3d[wp.vec3],
    styles: wp.array3d[wp.vec3],
    nnf: wp.array2d[wp.vec2i],
    # Out:
    error_out: wp.array2d[float],
) -> None:
    """Find the error of every pixel's match."""
    row, x = wp.tid()
    y = first_row + row
    error_out[y, x] = patch_error(x, y, nnf[y, x], radius, guides, styles, 1.0e30)


@wp.kernel
def try_candidates(
    # In:
    first_row: int,
    radius: int,
    step: wp.vec2i,
    key: int,
    guides: wp.array3d[wp.vec3],
    styles: wp.array3d[wp.vec3],
    nnf_in: wp.array2d[wp.vec2i],
    error_in: wp.array2d[float],
    # Out:
    nnf_out: wp.array2d[wp.vec2i],
    error_out: wp.array2d[float],
) -> None:
    """Try the neighbour's match, moved along (`step`), or a random one nearby (no step); keep what is better."""
    row, x = wp.tid()
    y = first_row + row
    shape = wp.vec2i(nnf_in.shape[0], nnf_in.shape[1])
    candidate = nnf_in[y, x]
    if step[0] == 0 and step[1] == 0:
        state = wp.rand_init(key, y * shape[1] + x)
        dx = wp.randi(state, -SEARCH_RADIUS, SEARCH_RADIUS + 1)
        candidate += wp.vec2i(dx, wp.randi(state, -SEARCH_RADIUS, SEARCH_RADIUS + 1))
    elif inside(x + step[0], y + step[1], shape):
        candidate = nnf_in[y + step[1], x + step[0]] - step
    candidate = wp.vec2i(wp.clamp(candidate[0], 0, shape[1] - 1), wp.clamp(candidate[1], 0, shape[0] - 1))
    nnf_out[y, x] = nnf_in[y, x]
    error_out[y, x] = error_in[y, x]
    error = patch_error(x, y, candidate, radius, guides, styles, error_in[y, x])
    if error < error_in[y, x]:
        nnf_out[y, x] = candidate
        error_out[y, x] = error


@wp.kernel
def vote(
    # In:
    first_row: int,
    radius: int,
    styles: wp.array3d[wp.vec3],
    nnf: wp.array2d[wp.vec2i],
    # Out:
    styles_out: wp.array3d[wp.vec3],
) -> None:
    """Let every patch over a pixel propose a colour of slot 1; their mean goes to slot 0."""
    row, x = wp.tid()
    y = first_row + row
    shape = wp.vec2i(nnf.shape[0], nnf.shape[1])
    total = wp.vec3(0.0)
    count = wp.float32(0.0)
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            if inside(x + dx, y + dy, shape):
                place = nnf[y + dy, x + dx] - wp.vec2i(dx, dy)
                if inside(place[0], place[1], shape):
                    total += styles[1, place[1], place[0]]
                    count += 1.0
    styles_out[0, y, x] = total / count


class Remapper:
    """Remaps one picture onto another by matching the guides of both."""

    def __init__(self, bands: Bands, *, seed: int = 0):
        """Load the kernels."""
        wp.load_module(device=bands.device)
        self._bands = bands
        self._rng = np.random.default_rng(seed)

    def remap(self, guides: np.ndarray, source_style: np.ndarray) -> np.ndarray:
        """Return the source's style as the target would have it, (H, W, 3).

        Args:
            guides: of target and source, float32 (2, H, W, 3).
            source_style: the picture to remap, float32 (H, W, 3).
        """
        shape = source_style.shape[:2]
        level_count = int(np.log2(min(shape) / max(PATCH_SIZES)))
        nnf = None
        for level in reversed(range(max(1, level_count))):
            size = (shape[0] >> level, shape[1] >> level)
            nnf = identity(size) if nnf is None else upsample(nnf, size)
            styles = np.stack([resize(source_style, size)] * 2)
            nnf, voted = self._search(np.stack([resize(guide, size) for guide in guides]), styles, nnf)
        return voted

    def _search(self, guides: np.ndarray, styles: np.ndarray, nnf: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Improve a field at one level; returns it and the picture it votes for."""
        guides, styles = (wp.array(pair, dtype=wp.vec3, device=self._bands.device) for pair in (guides, styles))
        field = wp.array(nnf, dtype=wp.vec2i, device=self._bands.device)
        spare = wp.empty_like(field)
        error, spare_error = (wp.empty(field.shape, dtype=float, device=self._bands.device) for _ in range(2))
        for size in PATCH_SIZES:
            radius = size // 2
            self._launch(vote, [radius, styles, field], [styles])
            self._launch(measure_patches, [radius, guides, styles, field], [error])
            steps = [STEPS[i] for i in self._rng.permutation(len(STEPS))] + [(0, 0)] * SEARCH_COUNT
            for step in steps:
                key = int(self._rng.integers(2**31))
                inputs = [radius, wp.vec2i(*step), key, guides, styles, field, error]
                self._launch(try_candidates, inputs, [spare, spare_error])
                field, spare, error, spare_error = spare, field, spare_error, error
        self._launch(vote, [PATCH_SIZES[-1] // 2, styles, field], [styles])
        return field.numpy(), styles.numpy()[0].copy()

    def _launch(self, kernel: wp.Kernel, inputs: list, outputs: list) -> None:
        shape = next(value.shape for value in (*inputs, *outputs) if isinstance(value, wp.array))[-2:]
        self._bands.launch(kernel, shape, inputs, outputs)


def paper_mean(guide: np.ndarray, frames: np.ndarray, *, window: int, bands: Bands) -> Iterator[np.ndarray]:
    """Yield the mean of each frame and its remapped neighbours, (H, W, 3)."""
    remapper = Remapper(bands)
    for target in range(len(frames)):
        sources = [i for i in range(target - window, target + window + 1) if 0 <= i < len(frames) and i != target]
        total = frames[target].astype(np.float32)
        for source in sources:
            total = total + remapper.remap(guide[[target, source]], frames[source])
        yield total / (len(sources) + 1)


def identity(size: tuple[int, int]) -> np.ndarray:
    """The field that maps each pixel onto itself, int32 (H, W, 2): x, y."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    return np.stack([columns, rows], axis=-1).astype(np.int32)


def upsample(nnf: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A field at twice the resolution: four pixels share a match, each keeps its place in it."""
    here = identity(size)
    coarse = np.minimum(here // 2, np.array(nnf.shape[1::-1]) - 1)
    fine = 2 * nnf[coarse[..., 1], coarse[..., 0]] + here - 2 * coarse
    return np.clip(fine, 0, np.array(size[::-1]) - 1).astype(np.int32)


def resize(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture by its mean over areas, (*size, 3)."""
    import cv2

    return cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA)
