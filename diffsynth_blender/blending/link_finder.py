"""Finds links: exact motion where geometry explains the picture, patch matching where it does not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import warp as wp

from ..motion.clip import Clip
from . import links as link_kernels
from .frame_ring import FrameRing
from .links import Link
from .plan import LinkRequest

GUIDE_SIGMA = 0.12
"""Change of the guide's colour along the motion [sRGB, 0 to 1] that lowers a weight to 61 %."""


class LinkFinder:
    """Where each pixel of a frame reads other frames, and how much to trust that."""

    def __init__(
        self,
        clip: Clip,
        guide: Callable[[int], np.ndarray],
        *,
        window: int,
        robust: bool,
    ):
        """Take the motion and the guide frames, (H, W, 3) in [0, 1] by index; they decide weights only."""
        self._clip = clip
        pool = wp.zeros((2 * window + 1, clip.height, clip.width), dtype=wp.vec3, device=clip.bands.device)
        self._guides = FrameRing(guide, pool, pool.shape[0])
        self._sharpness = 0.5 / GUIDE_SIGMA**2 if robust else 0.0
        clip.bands.load(link_kernels)

    def find(self, request: LinkRequest) -> wp.array:
        """Return the links of a frame to its sources, in their order: `Link`, shape (S, H, W)."""
        clip = self._clip
        target, sources = request.target, request.sources
        shape = (clip.height, clip.width)
        found = wp.empty((len(sources), *shape), dtype=Link, device=clip.bands.device)
        here = clip.surfaces(target)
        places = {source: place for place, source in enumerate(sources)}
        for source, trace in clip.traces(target, sources):
            clip.bands.launch(
                link_kernels.find_links,
                shape,
                inputs=[
                    here,
                    clip.surfaces(source),
                    trace,
                    self._guides.pool,
                    self._guides.slot(target),
                    self._guides.slot(source),
                    self._sharpness,
                ],
                outputs=[found[places[source]]],
            )
        return found
