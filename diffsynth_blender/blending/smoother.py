"""The window smoother: every frame becomes the weighted mean of itself and its moved neighbours.

Equation 3 of the method's window operator with exact motion in place of matched patches. A source
counts as far as it is visible, near in time, and looks the same there in the *guide*: geometry is
not appearance, and a shadow or a reflection that moves over a surface must not be smeared.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import warp as wp

from ..motion.clip import Clip
from . import links as link_kernels
from .frame_ring import FrameRing
from .link_store import LinkStore
from .links import LINK_DTYPE, Link

Operator = Literal["robust", "mean"]

GUIDE_SIGMA = 0.1
"""Change of the guide's colour along the motion [sRGB, 0 to 1] that lowers a weight to 61 %."""

STORE_VERSION = 2
"""Raise when the meaning of stored links changes."""


class WindowSmoother:
    """Blends each frame of a clip with its visible, agreeing neighbours, own frame included."""

    def __init__(
        self,
        clip: Clip,
        guide: Callable[[int], np.ndarray] | Sequence[np.ndarray] | np.ndarray,
        *,
        window: int = 4,
        operator: Operator = "robust",
        guide_sigma: float = GUIDE_SIGMA,
        cache_dir: Path | None = None,
        cache_key: str = "",
    ):
        """Describe the operator; nothing is computed yet.

        Args:
            clip: exact motion; its device and threads are used here as well.
            guide: source frames in [0, 1], shape (H, W, 3) each, by index: an array, a sequence
                or a function. They decide weights only.
            window: frames to either side that take part; 0 leaves frames as they are.
            operator: "robust" weighs sources by nearness in time and agreement of the guide;
                "mean" is the plain mean over everything visible.
            guide_sigma: tolerated change of the guide along the motion.
            cache_dir: folder for links; None keeps them in memory.
            cache_key: identifies the shot among those that share `cache_dir`.

        Raises:
            ValueError: an argument is out of range.
        """
        if window < 0:
            raise ValueError(f"window must be 0 or more frames, got {window}")
        if operator not in ("robust", "mean"):
            raise ValueError(f'operator must be "robust" or "mean", got {operator!r}')
        if not guide_sigma > 0.0:
            raise ValueError(f"guide_sigma must be positive, got {guide_sigma}")
        self.window = window
        self._clip = clip
        self._robust = operator == "robust"
        self._sharpness = 0.5 / guide_sigma**2 if self._robust else 0.0
        self._bands = clip.bands
        self._bands.load(link_kernels)
        self._guides = self._ring(guide if callable(guide) else guide.__getitem__)
        about = [STORE_VERSION, cache_key, list(clip.frames), clip.width, clip.height]
        about += [window, operator, guide_sigma]
        name = hashlib.sha256(json.dumps(about).encode()).hexdigest()[:16]
        self._store = LinkStore(None if cache_dir is None else cache_dir / f"links-{name}")
        clip.reserve(window)

    def prepare(self, on_frame: Callable[[int], None] | None = None) -> None:
        """Compute the links of every frame that has none yet; `on_frame(index)` after each."""
        for target in range(len(self._clip.frames)):
            self._links(target)
            if on_frame is not None:
                on_frame(target)

    def smooth(self, frames: np.ndarray | wp.array) -> np.ndarray | wp.array:
        """Return the smoothed clip, as the same kind of array on the same device.

        Args:
            frames: float32, NumPy (T, H, W, 3) or Warp vec3 (T, H, W) on the clip's device.
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
        for target in range(count):
            sources = self._sources(target)
            self._blend(target, frames, target, sources, smoothed[target])
        return smoothed

    def stream(self, fetch: Callable[[int], np.ndarray]) -> Iterator[np.ndarray]:
        """Yield smoothed frames, float32 (H, W, 3), in order; holds one window at a time.

        Args:
            fetch: returns the frame to smooth at an index; called once for each.
        """
        ring = self._ring(fetch)
        shape = (self._clip.height, self._clip.width)
        for target in range(len(self._clip.frames)):
            sources = self._sources(target)
            slots = {index: ring.slot(index) for index in sorted((target, *sources))}
            smoothed = wp.empty(shape, dtype=wp.vec3, device=self._bands.device)
            self._blend(target, ring.frames, slots[target], [slots[source] for source in sources], smoothed)
            yield smoothed.numpy()

    def _blend(self, target: int, frames: wp.array, own_slot: int, slots: list[int], smoothed: wp.array) -> None:
        """Blend slot `own_slot` of `frames` with `slots` into `smoothed`, vec3 (H, W)."""
        if not slots:
            wp.copy(smoothed, frames[own_slot])
            return
        device = self._bands.device
        links = wp.array(self._links(target), dtype=Link, device=device, copy=False)
        self._bands.launch(
            link_kernels.blend_window,
            (self._clip.height, self._clip.width),
            inputs=[frames, own_slot, wp.array(slots, dtype=int, device=device), links],
            outputs=[smoothed],
        )

    def _links(self, target: int) -> np.ndarray:
        """Return the links of a frame, shape (S, H, W), from the store if they are there."""
        sources = self._sources(target)
        shape = (len(sources), self._clip.height, self._clip.width)
        links = self._store.load(target, shape)
        if links is None:
            links = self._find_links(target, sources)
            self._store.save(target, links)
        return links

    def _find_links(self, target: int, sources: list[int]) -> np.ndarray:
        clip = self._clip
        shape = (clip.height, clip.width)
        found = wp.empty((len(sources), *shape), dtype=Link, device=self._bands.device)
        here = clip.surfaces(target)
        for place, (source, trace) in enumerate(clip.traces(target, sources)):
            self._bands.launch(
                link_kernels.find_links,
                shape,
                inputs=[
                    here,
                    clip.surfaces(source),
                    trace,
                    self._guides.frames,
                    self._guides.slot(target),
                    self._guides.slot(source),
                    self._falloff(target, source),
                    self._sharpness,
                ],
                outputs=[found[place]],
            )
        return found.numpy().view(LINK_DTYPE).reshape(len(sources), *shape)

    def _falloff(self, target: int, source: int) -> float:
        """Weight for distance in time: a triangle, so that sources fade in and out of the window.

        With independent flicker, neighbouring results differ by 2 / (window + 1)**3 of its variance
        under the triangle and by 2 / (2 window + 1)**2 under the plain mean: 0.016 and 0.025 at 4.
        """
        if not self._robust:
            return 1.0
        return 1.0 - abs(target - source) / (self.window + 1)

    def _sources(self, target: int) -> list[int]:
        """Return the indices of the other frames in the window, in order."""
        last = len(self._clip.frames) - 1
        nearby = range(max(0, target - self.window), min(last, target + self.window) + 1)
        return [source for source in nearby if source != target]

    def _ring(self, fetch: Callable[[int], np.ndarray]) -> FrameRing:
        size = 2 * self.window + 1
        device = str(self._bands.device)
        return FrameRing(fetch, size, self._clip.height, self._clip.width, device)
