"""The window smoother: every frame becomes the weighted mean of itself and its remapped neighbours.

A source counts as far as it is visible, near in time, and looks the same there in the *guide*: geometry is not
appearance, and a shadow or a reflection that moves over a surface must not be smeared.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import warp as wp

from ..motion.clip import Clip
from .accurate import AccurateBlender
from .footage import Footage
from .frame_cache import Fetch, FrameCache, frame_pool
from .link_finder import make_finder
from .link_store import LinkStore
from .links import LINK_DTYPE, Link
from .plan import LinkRequest
from .tree import TreeBlender
from .window import Links, WindowBlender

Mode = Literal["fast", "balanced", "accurate"]
Operator = Literal["robust", "mean"]

MODES: tuple[Mode, ...] = ("fast", "balanced", "accurate")
OPERATORS: tuple[Operator, ...] = ("robust", "mean")

STORE_VERSION = 3
"""Raise when the meaning of stored links changes."""


class Blender(Protocol):
    """Blends one frame at a time from the frames of its window and from links."""

    frame_slots: int
    """Frames that must be at hand: the window's."""

    @property
    def slot_count(self) -> int:
        """Slots of the pool: the frames', then the blender's own."""

    def requests(self, target: int) -> list[LinkRequest]:
        """The links that blending a frame reads."""

    def blend(self, target: int, cache: FrameCache, links: Links, blended: wp.array) -> None:
        """Blend a frame into `blended`, vec3 (H, W)."""


class Smoother:
    """Blends each frame of a clip with its visible, agreeing neighbours, own frame included."""

    def __init__(
        self,
        clip: Clip | Footage,
        guide: Callable[[int], np.ndarray],
        *,
        mode: Mode = "accurate",
        window: int = 7,
        operator: Operator = "robust",
        repair: bool = True,
        cache_dir: Path | None = None,
        cache_key: str = "",
    ):
        """Describe the operator; nothing is computed yet.

        Args:
            clip: exact motion, or footage without passes; its device and threads are used here as well.
            guide: returns a source frame in [0, 1], shape (H, W, 3), by index. It decides weights only.
            mode: "fast" blends whole blocks of frames, "balanced" every pair, "accurate" also registers every
                source to the window's mean, which follows the frames that are blended and is not linear in them.
            window: frames to either side that take part; 0 leaves frames as they are.
            operator: "robust" weighs sources by nearness in time and agreement of the guide; "mean" is the plain
                mean over everything visible.
            repair: whether the robust operator matches patches of the guide where exact motion leads to nothing that
                looks alike: reflections, moving shadows, what a source does not show.
            cache_dir: folder for links; None computes them anew each time, unless `prepare` is called.
            cache_key: identifies the shot among those that share `cache_dir`.

        Raises:
            ValueError: an argument is out of range.
        """
        if mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}, got {mode!r}")
        if window < 0:
            raise ValueError(f"window must be 0 or more frames, got {window}")
        if operator not in OPERATORS:
            raise ValueError(f"operator must be one of {', '.join(OPERATORS)}, got {operator!r}")
        if mode == "accurate" and operator == "mean":
            raise ValueError('operator "mean" is for modes "fast" and "balanced": choose one of them')
        self.window = window
        self._clip = clip
        self._bands = clip.bands
        self._mode = mode
        self._robust = operator == "robust"
        self._finder = make_finder(
            clip, guide, guide_slots=2 * window + 2, robust=self._robust, repair=repair and self._robust
        )
        # Links are of two frames and know neither mode nor window: smoothers of a clip share them.
        about = [STORE_VERSION, cache_key, list(clip.frames), clip.width, clip.height, operator, repair]
        name = hashlib.sha256(json.dumps(about).encode()).hexdigest()[:16]
        self._store = None if cache_dir is None else LinkStore(cache_dir / f"links-{name}")
        clip.reserve(window)

    def prepare(self, on_frame: Callable[[int], None] | None = None) -> None:
        """Compute and keep the links of every frame, on disk or in memory; `on_frame(index)` after each."""
        if self._store is None:
            self._store = LinkStore(None)
        blender = self._make_blender(self.window)
        done: set[LinkRequest] = set()
        for target in range(len(self._clip.frames)):
            for request in blender.requests(target):
                if request.sources and request not in done:
                    done.add(request)
                    self._links(request)
            if on_frame is not None:
                on_frame(target)

    def smooth(self, frames: np.ndarray | wp.array) -> np.ndarray | wp.array:
        """Return the smoothed clip, as the same kind of array on the same device.

        Args:
            frames: float32, NumPy (T, H, W, 3) or Warp vec3 (T, H, W) on the clip's device.

        Raises:
            ValueError: the frames are not the clip's in number, size, type or device.
        """
        count, height, width = len(self._clip.frames), self._clip.height, self._clip.width
        if not isinstance(frames, wp.array):
            if frames.shape != (count, height, width, 3):
                raise ValueError(f"frames have shape {frames.shape}, the clip's is {(count, height, width, 3)}")
            return np.stack(list(self.stream(frames.__getitem__)))
        if frames.shape != (count, height, width) or frames.dtype != wp.vec3:
            raise ValueError(
                f"frames are {frames.dtype.__name__} of shape {frames.shape}, the clip's are vec3 "
                f"of shape {(count, height, width)}"
            )
        if frames.device != self._bands.device:
            raise ValueError(f"frames are on {frames.device}, the clip is on {self._bands.device}")
        smoothed = wp.empty_like(frames)
        for target, blended in enumerate(self.stream_arrays(frames.__getitem__)):
            wp.copy(smoothed[target], blended)
        return smoothed

    def stream(self, fetch: Fetch) -> Iterator[np.ndarray]:
        """Yield smoothed frames, float32 (H, W, 3), in order; holds one window at a time.

        Args:
            fetch: returns the frame to smooth at an index; called once for each, in order.
        """
        for blended in self.stream_arrays(fetch):
            # On a processor NumPy would see the memory that the next frame is written to.
            yield blended.numpy().copy()

    def stream_arrays(
        self, fetch: Fetch, *, window: int | None = None, targets: Iterable[int] | None = None
    ) -> Iterator[wp.array]:
        """Yield smoothed frames, vec3 (H, W), on the clip's device; each is overwritten by the next.

        Args:
            fetch: returns the frame to smooth at an index; called at most once for each, in order.
            window: frames to either side that take part, at most the smoother's own. In mode "balanced" a narrower
                window reads the same links.
            targets: indices of the frames to yield, rising; None for all.

        Raises:
            ValueError: the window is out of range.
        """
        window = self.window if window is None else window
        if not 0 <= window <= self.window:
            raise ValueError(f"window must be 0 to the smoother's {self.window} frames, got {window}")
        shape = (self._clip.height, self._clip.width)
        device = self._bands.device
        blender = self._make_blender(window)
        pool = frame_pool(blender.slot_count, *shape, device)
        cache = FrameCache(fetch, pool, blender.frame_slots)
        blended = wp.empty(shape, dtype=wp.vec3, device=device)
        last = len(self._clip.frames) - 1
        for target in range(last + 1) if targets is None else targets:
            for index in range(max(0, target - window), min(last, target + window) + 1):
                cache.slot(index)
            blender.blend(target, cache, self._links, blended)
            yield blended

    def _links(self, request: LinkRequest) -> wp.array:
        """Return links on the device, shape (S, H, W), from the store if they are there."""
        device = self._bands.device
        shape = (len(request.sources), self._clip.height, self._clip.width)
        if not request.sources:
            return wp.empty(shape, dtype=Link, device=device)
        if self._store is None:
            return self._finder.find(request)
        stored = self._store.load(request, shape)
        if stored is not None:
            return wp.array(stored, dtype=Link, device=device, copy=False)
        links = self._finder.find(request)
        self._store.save(request, links.numpy().view(LINK_DTYPE).reshape(shape))
        return links

    def _make_blender(self, window: int) -> Blender:
        """Return a blender for one pass over the clip; the tree keeps what it has blended so far."""
        frame_count = len(self._clip.frames)
        if self._mode == "fast":
            return TreeBlender(self._bands, frame_count, window)
        if self._mode == "balanced":
            return WindowBlender(self._bands, frame_count, window, robust=self._robust, linked=self.window)
        return AccurateBlender(self._bands, frame_count, window)
