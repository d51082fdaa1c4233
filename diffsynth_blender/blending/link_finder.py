"""Finds links: exact motion where geometry explains the picture, matched patches of the guide where it does not."""

from __future__ import annotations

from typing import Protocol

import warp as wp

from ..bands import Bands
from ..motion.clip import Clip
from ..motion.kernels import Surfaces
from ..patchmatch.matcher import PatchMatcher
from ..patchmatch.options import MatchOptions
from . import links as link_kernels
from . import matched_links
from .footage import Footage
from .frame_cache import Fetch, FrameCache, frame_pool
from .links import Link
from .plan import LinkRequest

GUIDE_SIGMA = 0.1
"""Change of the guide's colour along the motion [sRGB, 0 to 1, length over RGB] that lowers a weight to 61 %."""

MATCH_SIGMA = 0.1
"""Error of a match [the same, root mean square over a patch] that lowers a weight to 61 %."""

FOOTAGE_PATCH_SIZE = 11
"""Side of the patches where there are no passes [px]: large, for a smooth field where the guide has little texture."""

REPAIR_PATCH_SIZE = 7
"""Side of the patches where geometry fails [px]: small, since what moves against its surface is seldom large."""

REPAIR_BELOW = 0.3
"""Weight of an exact link below which a match is looked for."""

REPAIR_TRUST = 0.35
"""Weight of a perfect match beside an exact link: it looks alike, and may be something else."""


class LinkFinder(Protocol):
    """Where each pixel of a frame reads other frames, and how much to trust that."""

    def find(self, request: LinkRequest) -> wp.array:
        """Return the links of a frame to its sources, in their order: `Link`, shape (S, H, W)."""


def make_finder(clip: Clip | Footage, guide: Fetch, *, guide_slots: int, robust: bool, repair: bool) -> LinkFinder:
    """Return the finder for a clip.

    Args:
        clip: exact motion, or footage without passes.
        guide: returns a guide frame in [0, 1] by index.
        guide_slots: guide frames held at a time, at least 2.
        robust: whether weights fall where the guide disagrees.
        repair: whether to match patches where exact motion explains nothing.
    """
    guides = FrameCache(guide, frame_pool(guide_slots, clip.height, clip.width, clip.bands.device), guide_slots)
    if isinstance(clip, Footage):
        return FootageFinder(clip, guides, robust=robust)
    return ExactFinder(clip, guides, robust=robust, repair=repair)


class FootageFinder:
    """Finds links by patch matching of the guide alone."""

    def __init__(self, footage: Footage, guides: FrameCache, *, robust: bool):
        """Take the guide frames."""
        footage.bands.load(matched_links)
        self._bands = footage.bands
        self._guides = guides
        self._matcher = PatchMatcher(footage.bands, MatchOptions(patch_size=FOOTAGE_PATCH_SIZE))
        self._sharpness = 0.5 / MATCH_SIGMA**2 if robust else 0.0

    def find(self, request: LinkRequest) -> wp.array:
        """Return the links of a frame to its sources, in their order: `Link`, shape (S, H, W)."""
        pool = self._guides.pool
        shape = pool.shape[1:]
        found = wp.empty((len(request.sources), *shape), dtype=Link, device=self._bands.device)
        for place, source in enumerate(request.sources):
            here, there = self._guides.slot(request.target), self._guides.slot(source)
            match = self._matcher.match(pool[here : here + 1], pool[there : there + 1], weights=(1.0, 1.0, 1.0))
            self._bands.launch(
                matched_links.link_matches,
                shape,
                inputs=[pool, here, there, match.nnf[0], match.error[0], self._sharpness],
                outputs=[found[place]],
            )
        return found


class ExactFinder:
    """Finds links by exact motion, and by patch matching where that leads to nothing that looks alike."""

    def __init__(self, clip: Clip, guides: FrameCache, *, robust: bool, repair: bool):
        """Take the motion and the guide frames."""
        clip.bands.load(link_kernels)
        self._clip = clip
        self._bands = clip.bands
        self._guides = guides
        self._sharpness = 0.5 / GUIDE_SIGMA**2 if robust else 0.0
        self._repair = _Repair(clip, guides) if repair else None

    def find(self, request: LinkRequest) -> wp.array:
        """Return the links of a frame to its sources, in their order: `Link`, shape (S, H, W)."""
        clip = self._clip
        shape = (clip.height, clip.width)
        found = wp.empty((len(request.sources), *shape), dtype=Link, device=self._bands.device)
        here = clip.surfaces(request.target)
        places = {source: place for place, source in enumerate(request.sources)}
        for source, trace in clip.traces(request.target, request.sources):
            target_slot, source_slot = self._guides.slot(request.target), self._guides.slot(source)
            there = clip.surfaces(source)
            links = found[places[source]]
            inputs = [here, there, trace, self._guides.pool, target_slot, source_slot, self._sharpness]
            self._bands.launch(link_kernels.find_links, shape, inputs=inputs, outputs=[links])
            if self._repair is not None and source != request.target:
                self._repair.mend(here, there, target_slot, source_slot, links)
        return found


class _Repair:
    """Matches patches of the guide where exact links are weak, and keeps a match that is better than the link."""

    def __init__(self, clip: Clip, guides: FrameCache):
        clip.bands.load(matched_links)
        self._bands: Bands = clip.bands
        self._pool = guides.pool
        self._matcher = PatchMatcher(clip.bands, MatchOptions(patch_size=REPAIR_PATCH_SIZE))
        shape = self._pool.shape[1:]
        device = clip.bands.device
        self._target_guide, self._source_guide = (wp.empty((1, *shape), dtype=wp.vec4, device=device) for _ in range(2))
        self._initial = wp.empty((1, *shape), dtype=wp.vec2, device=device)
        self._mask = wp.empty((1, *shape), dtype=wp.uint8, device=device)

    def mend(
        self,
        target: Surfaces,
        source: Surfaces,
        target_slot: int,
        source_slot: int,
        links: wp.array,
    ) -> None:
        """Replace weak links of one pair, `Link` (H, W), in place."""
        self._launch(matched_links.find_weak, [links, REPAIR_BELOW], [self._mask[0], self._initial[0]])
        if not self._mask.numpy().any():
            return
        self._launch(matched_links.pack_guide, [self._pool, target_slot, target], [self._target_guide[0]])
        self._launch(matched_links.pack_guide, [self._pool, source_slot, source], [self._source_guide[0]])
        match = self._matcher.match(
            self._target_guide,
            self._source_guide,
            weights=(1.0, 1.0, 1.0, 1.0),
            initial=self._initial,
            target_mask=self._mask,
        )
        self._launch(
            matched_links.repair_links,
            [
                target,
                source,
                self._pool,
                wp.vec2i(target_slot, source_slot),
                self._mask[0],
                match.nnf[0],
                match.error[0],
                0.5 / MATCH_SIGMA**2,
                REPAIR_TRUST,
            ],
            [links],
        )

    def _launch(self, kernel: wp.Kernel, inputs: list, outputs: list) -> None:
        self._bands.launch(kernel, self._pool.shape[1:], inputs, outputs)
