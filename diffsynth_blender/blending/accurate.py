"""The accurate blend: a window's sources registered to their own mean, in colour and in place, then averaged."""

from __future__ import annotations

import warp as wp

from ..bands import Bands
from . import refine
from .frame_ring import FrameRing
from .grid import grid_shape
from .plan import LinkRequest, window_sources
from .window import Links, triangle

ITERATIONS = 2
CAST_SIGMA = 2.0
SHIFT_SIGMA = 1.0
STIFFNESS = 60.0
TOLERANCE = 0.15


OPTIONS: dict = {}


class AccurateBlender:
    """Blends one window at a time; holds the moved sources of one frame."""

    def __init__(self, bands: Bands, frame_count: int, window: int):
        """Blend frames of a clip with `window` neighbours to either side."""
        bands.load(refine)
        self._bands = bands
        self._frame_count = frame_count
        self._window = window
        self.ring_size = self.slot_count = 2 * window + 1
        options = OPTIONS
        self.iterations = options.get("iterations", ITERATIONS)
        self.cast_sigma = options.get("cast_sigma", CAST_SIGMA)
        self.shift_sigma = options.get("shift_sigma", SHIFT_SIGMA)
        self.stiffness = options.get("stiffness", STIFFNESS)
        self.tolerance = options.get("tolerance", TOLERANCE)

    def requests(self, target: int) -> list[LinkRequest]:
        """The links that blending frame `target` reads, to itself as well: its own warp is undone like any other."""
        sources = (*window_sources(target, self._window, self._frame_count), target)
        return [LinkRequest(target, tuple(sorted(sources)))]

    def blend(self, target: int, ring: FrameRing, find_links: Links, blended: wp.array) -> None:
        """Blend frame `target` into `blended`, vec3 (H, W)."""
        (request,) = self.requests(target)
        links = find_links(request)
        device = self._bands.device
        frames, own_slot = ring.pool, ring.slot(target)
        slots = wp.array([ring.slot(source) for source in request.sources], dtype=int, device=device)
        weights = [triangle(target, source, self._window) for source in request.sources]
        falloffs = wp.array(weights, dtype=float, device=device)
        count = slots.shape[0]
        self._shape = blended.shape
        grid = (count, *grid_shape(*self._shape))
        shifts = wp.zeros(grid, dtype=wp.vec2, device=device)
        casts = wp.zeros(grid, dtype=wp.vec3, device=device)
        moved = wp.empty((count, *self._shape), dtype=wp.vec4, device=device)
        sums = wp.empty(grid, dtype=refine.BlockSums, device=device)
        consensus = wp.empty(self._shape, dtype=wp.vec3, device=device)

        def mean(tolerance: float, out: wp.array) -> None:
            self._launch(refine.blend_moved, [frames, own_slot, moved, casts, consensus, tolerance], [out])

        def compare() -> None:
            self._launch_grid(refine.sum_blocks, grid, [moved, casts, consensus], [sums])

        self._launch(refine.move_sources, [frames, slots, falloffs, links, shifts], [moved])
        mean(0.0, consensus)
        for _ in range(self.iterations):
            compare()
            self._launch_grid(refine.spread_casts, grid, [sums, self.cast_sigma], [casts])
            mean(0.0, consensus)
            compare()
            moved_shifts = wp.empty_like(shifts)
            self._launch_grid(
                refine.solve_shifts, grid, [sums, self.shift_sigma, self.stiffness, shifts], [moved_shifts]
            )
            shifts = moved_shifts
            self._launch(refine.move_sources, [frames, slots, falloffs, links, shifts], [moved])
            mean(0.0, consensus)
        if self.cast_sigma > 0:
            compare()
            self._launch_grid(refine.spread_casts, grid, [sums, self.cast_sigma], [casts])
        mean(self.tolerance, blended)

    def _launch(self, kernel: wp.Kernel, inputs: list, outputs: list) -> None:
        self._bands.launch(kernel, self._shape, inputs, outputs)

    def _launch_grid(self, kernel: wp.Kernel, grid: tuple[int, int, int], inputs: list, outputs: list) -> None:
        self._bands.launch(kernel, grid[1:], inputs, outputs, rows_per_band=1)
