"""Key-frame interpolation: a few frames are given, every other one is made of the nearest key before and after it.

The keys may be painted by hand: no two agree exactly. So the two that meet in a frame are registered to each other,
in colour and in place, and cross-faded over time; the keys themselves are returned as they are.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import warp as wp

from ..motion.clip import Clip
from . import fill
from .accurate import KERNELS, blend_registered
from .footage import Footage
from .frame_cache import Fetch, FrameCache, frame_pool
from .link_finder import make_finder
from .plan import LinkRequest


class KeyFrameInterpolator:
    """Carries key frames to every frame of a clip."""

    def __init__(
        self, clip: Clip | Footage, guide: Callable[[int], np.ndarray], keys: Sequence[int], *, repair: bool = True
    ):
        """Describe the clip; nothing is computed yet.

        Args:
            clip: exact motion, or footage without passes.
            guide: returns a source frame in [0, 1], shape (H, W, 3), by index.
            keys: indices of the key frames, rising.
            repair: whether patches of the guide are matched where exact motion leads to nothing that looks alike.

        Raises:
            ValueError: there are no keys, they do not rise, or one is not a frame of the clip.
        """
        last = len(clip.frames) - 1
        if not keys or list(keys) != sorted(set(keys)) or keys[0] < 0 or keys[-1] > last:
            raise ValueError(f"keys must be rising frame indices from 0 to {last}, at least one, got {list(keys)}")
        self._clip = clip
        self._keys = list(keys)
        self._bands = clip.bands
        self._bands.load(*KERNELS, fill)
        self._finder = make_finder(clip, guide, guide_slots=3, robust=True, repair=repair)

    def stream(self, fetch_key: Fetch) -> Iterator[np.ndarray]:
        """Yield a frame for every frame of the clip, float32 (H, W, 3), in order.

        Args:
            fetch_key: returns the key frame at an index of the clip; called once for each, in order.
        """
        return (frame for frame, _ in self.stream_hidden(fetch_key))

    def stream_hidden(self, fetch_key: Fetch) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield frames as `stream` does, each with what no key shows, bool (H, W): there it is filled from around."""
        shape = (self._clip.height, self._clip.width)
        cache = FrameCache(fetch_key, frame_pool(2, *shape, self._bands.device), 2)
        blended = wp.empty(shape, dtype=wp.vec3, device=self._bands.device)
        for target in range(len(self._clip.frames)):
            sources = self._sources(target)
            slots = [cache.slot(source) for source in sources]
            if sources == (target,):
                yield cache.pool[slots[0]].numpy().copy(), np.zeros(shape, bool)
                continue
            links = self._finder.find(LinkRequest(target, sources))
            falloffs = [1.0] if len(sources) == 1 else _fade(target, *sources)
            blend_registered(self._bands, cache.pool, slots, falloffs, links, blended, tolerance=0.0)
            hidden = np.isnan(blended.numpy()[..., 0])
            yield fill.fill_holes(self._bands, blended).numpy().copy(), hidden

    def _sources(self, target: int) -> tuple[int, ...]:
        """Return the keys that a frame is made of: itself, or the nearest before and after it where there is one."""
        after = bisect_left(self._keys, target)
        if self._keys[after : after + 1] == [target]:
            return (target,)
        return tuple(self._keys[max(0, after - 1) : after + 1])


def _fade(target: int, before: int, after: int) -> list[float]:
    """Weights of the key before and the key after a frame: linear in time, so that neither pops in."""
    share = (target - before) / (after - before)
    return [1.0 - share, share]
