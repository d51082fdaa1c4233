"""The accurate blend: a window's sources registered to their own mean, in colour and in place, then averaged."""

from __future__ import annotations

from collections.abc import Sequence

import warp as wp

from ..bands import Bands
from . import guide_light, mixing, moving, registration
from .frame_cache import FrameCache
from .grid import grid_shape
from .links import Link
from .plan import LinkRequest, window_sources
from .window import Links, triangle

KERNELS = (moving, guide_light, registration, mixing)
"""Modules to be loaded before anything is blended."""

# What was chosen, and why: the first ten to fourteen frames of the benchmark's clips (`make bench`: rigid, deforming,
# optics), window 7; PSNR [dB] / detail against the truth.

ITERATIONS = 2
"""Rounds of registration. Four instead of two cost 0.1 dB in rigid: the mean begins to follow its own noise."""

CAST_SIGMA = 2.0
"""Of the Gaussian over which colour casts are measured [blocks]: 16 px. Halving or doubling it changes 0.05 dB."""

SHIFT_SIGMA = 1.0
"""Of the Gaussian over which local warps are measured [blocks]: 8 px. From 0.7 to 1.5 nothing changes."""

STIFFNESS = 120.0
"""How much the residual noise holds registration back; correlated over some 30 px it hides a prior of half a pixel.

Registration alone brings rigid from 31.27 / 0.855 to 31.62 / 0.885. From 10 to 240 PSNR rises by 0.1 dB and detail
falls by 0.002.
"""

TOLERANCE = 0.15
"""Difference from the mean that halves a source's weight [sRGB, 0 to 1, length over RGB]: what is left of outliers."""

FOLLOW_SIGMA = 4.0
"""Of the Gaussian over which it is measured how far frames follow the guide's light [blocks]."""

FOLLOW_RIDGE = 0.1
"""Squared octaves of change in the guide's light, in all, below which nothing is said about it.

Following the light brings rigid 0.2 dB and optics 0.6 dB, 0.9 dB where the shade changes.
"""

DETAIL_POWER = 6.0
"""Power of the weights for the finest band: about two frames make it, the nearest and finest resolved.

Noise of diffusion is correlated over pixels and has little there, misplaced detail has much: optics 32.10 / 0.880
without, 32.29 / 0.888 at 4, 32.37 / 0.895 at 8.
"""

GIVE_BACK = 0.22
"""Of the finest band, on top, at full softness: the cubic's loss and what registration left.

Chosen where detail reaches 0.92 or more and PSNR is still at its best: deforming 30.27 / 0.859 without, 30.31 / 0.916
at 0.18, 30.27 / 0.942 at 0.26.
"""


class AccurateBlender:
    """Blends each frame with its neighbours, all registered to each other."""

    def __init__(self, bands: Bands, frame_count: int, window: int):
        """Blend frames of a clip with `window` neighbours to either side."""
        bands.load(*KERNELS)
        self._bands = bands
        self._frame_count = frame_count
        self._window = window
        self.frame_slots = self.slot_count = 2 * window + 1

    def requests(self, target: int) -> list[LinkRequest]:
        """The links that blending frame `target` reads, to itself as well: its own warp is undone like any other."""
        sources = window_sources(target, self._window, self._frame_count)
        # Two requests: the first is that of the balanced blend, and stored links are shared.
        requests = [LinkRequest(target, tuple(sources)), LinkRequest(target, (target,))]
        return [request for request in requests if request.sources]

    def blend(self, target: int, cache: FrameCache, links: Links, blended: wp.array) -> None:
        """Blend frame `target` into `blended`, vec3 (H, W)."""
        requests = self.requests(target)
        sources = [source for request in requests for source in request.sources]
        every_link = wp.empty((len(sources), *blended.shape), dtype=Link, device=blended.device)
        filled = 0
        for request in requests:
            count = len(request.sources)
            wp.copy(every_link[filled : filled + count], links(request))
            filled += count
        blend_registered(
            self._bands,
            cache.pool,
            [cache.slot(source) for source in sources],
            [triangle(target, source, self._window) for source in sources],
            every_link,
            blended,
        )


def blend_registered(
    bands: Bands,
    frames: wp.array,
    slots: Sequence[int],
    falloffs: Sequence[float],
    links: wp.array,
    blended: wp.array,
    *,
    tolerance: float = TOLERANCE,
) -> None:
    """Register sources to their weighted mean and average them into `blended`, vec3 (H, W); NaN where none is linked.

    Args:
        bands: the device.
        frames: vec3, shape (slots, H, W).
        slots: where in `frames` each of S sources lies.
        falloffs: factor on each source's weights.
        links: `Link`, shape (S, H, W).
        blended: receives the mean.
        tolerance: difference in colour from the mean [0 to 1, length over RGB] that halves a source's weight; 0: none.
    """
    device = bands.device
    grid = (len(slots), *grid_shape(*blended.shape))
    sources = [wp.array(list(slots), dtype=int, device=device), wp.array(list(falloffs), dtype=float, device=device)]
    shifts, next_shifts = (wp.zeros(grid, dtype=wp.vec2, device=device) for _ in range(2))
    casts = wp.zeros(grid, dtype=wp.vec3, device=device)
    sums = wp.empty(grid, dtype=registration.BlockSums, device=device)
    moved = wp.empty((len(slots), *blended.shape), dtype=wp.vec4, device=device)
    mean = wp.empty_like(blended)
    softness = wp.empty(blended.shape, dtype=float, device=device)
    pure = wp.empty(blended.shape, dtype=wp.uint8, device=device)
    follows = wp.zeros((1, *grid[1:]), dtype=float, device=device)
    light = wp.empty(grid[1:], dtype=wp.vec2, device=device)

    def launch(kernel: wp.Kernel, inputs: list, outputs: list) -> None:
        bands.launch(kernel, blended.shape, inputs, outputs)

    def launch_on_grid(kernel: wp.Kernel, inputs: list, outputs: list) -> None:
        bands.launch(kernel, grid[1:], inputs, outputs, rows_per_band=1)

    def find_casts() -> None:
        launch_on_grid(registration.sum_blocks, [moved, casts, mean, pure], [sums])
        launch_on_grid(registration.spread_casts, [sums, CAST_SIGMA], [casts])

    launch(moving.find_pure, [links], [pure])
    launch(moving.move_sources, [frames, *sources, links, shifts, follows], [moved, softness])
    launch_on_grid(guide_light.compare_light, [links, moved], [light])
    launch_on_grid(guide_light.find_follow, [light, FOLLOW_SIGMA, FOLLOW_RIDGE], [follows])
    launch(moving.move_sources, [frames, *sources, links, shifts, follows], [moved, softness])
    launch(mixing.blend_moved, [moved, casts, mean, 0.0, 1.0], [mean])
    for _ in range(ITERATIONS):
        find_casts()
        launch(mixing.blend_moved, [moved, casts, mean, 0.0, 1.0], [mean])
        launch_on_grid(registration.sum_blocks, [moved, casts, mean, pure], [sums])
        launch_on_grid(registration.solve_shifts, [sums, SHIFT_SIGMA, STIFFNESS, shifts], [next_shifts])
        shifts, next_shifts = next_shifts, shifts
        launch(moving.move_sources, [frames, *sources, links, shifts, follows], [moved, softness])
        launch(mixing.blend_moved, [moved, casts, mean, 0.0, 1.0], [mean])
    find_casts()
    wide, near = mean, wp.empty_like(mean)
    launch(mixing.blend_moved, [moved, casts, mean, tolerance, 1.0], [wide])
    launch(mixing.blend_moved, [moved, casts, wide, 0.0, DETAIL_POWER], [near])
    launch(mixing.add_detail, [wide, near, pure, softness, GIVE_BACK], [blended])
