"""The balanced blend: the weighted mean of each frame and of its neighbours, remapped directly."""

from __future__ import annotations

from collections.abc import Callable

import warp as wp

from ..bands import Bands
from . import linear
from .frame_cache import FrameCache
from .plan import LinkRequest, window_sources

Links = Callable[[LinkRequest], wp.array]
"""Returns links on the device, shape (S, H, W)."""


def triangle(target: int, source: int, window: int) -> float:
    """Weight for distance in time: sources fade in and out of the window.

    With independent flicker, neighbouring results differ by 2 / (window + 1)**3 of its variance under the triangle
    and by 2 / (2 window + 1)**2 under the plain mean: 0.016 and 0.025 at 4.
    """
    return 1.0 - abs(target - source) / (window + 1)


class WindowBlender:
    """The method's window operator (equation 3), weighted; n * 2 * window remaps for n frames."""

    def __init__(self, bands: Bands, frame_count: int, window: int, *, robust: bool, linked: int | None = None):
        """Blend frames of a clip with `window` neighbours to either side.

        `linked` is the window whose links are asked for, at least `window` and by default that: a narrower blend
        reads a part of them.
        """
        bands.load(linear)
        self._bands = bands
        self._frame_count = frame_count
        self._window = window
        self._linked = window if linked is None else linked
        self._robust = robust
        self.frame_slots = self.slot_count = 2 * window + 1

    def requests(self, target: int) -> list[LinkRequest]:
        """The links that blending frame `target` reads."""
        return [LinkRequest(target, tuple(window_sources(target, self._linked, self._frame_count)))]

    def blend(self, target: int, cache: FrameCache, links: Links, blended: wp.array) -> None:
        """Blend frame `target` into `blended`, vec3 (H, W)."""
        device = self._bands.device
        (request,) = self.requests(target)
        sources = window_sources(target, self._window, self._frame_count)
        every_link = links(request)
        if sources:  # Warp has no slices without elements, and none are read then
            first = request.sources.index(sources[0])
            every_link = every_link[first : first + len(sources)]
        falloffs = [triangle(target, source, self._window) if self._robust else 1.0 for source in sources]
        self._bands.launch(
            linear.blend_window,
            blended.shape,
            inputs=[
                cache.pool,
                cache.slot(target),
                wp.array([cache.slot(source) for source in sources], dtype=int, device=device),
                wp.array(falloffs, dtype=float, device=device),
                every_link,
            ],
            outputs=[blended],
        )
