"""What our modes are compared with: rows of (clip, flickering frames) to steady frames, all (T, H, W, 3) in [0, 1].

Written apart from the product's blending, which may change; they share exact motion and one gather.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from diffsynth_blender.bands import Bands
from diffsynth_blender.blending.metrics import remap

from .clips.load import BenchClip
from .paper_matching import paper_mean

Row = Callable[[BenchClip, np.ndarray], Iterator[np.ndarray]]
"""Yields a steady frame for each of the flickering ones."""

WINDOW = 7
PAPER_WINDOW = 3
GUIDE_SIGMA = 0.1
"""Change of the guide along the motion [sRGB] that lowers a weight to 61 %."""


def identity(clip: BenchClip, frames: np.ndarray) -> Iterator[np.ndarray]:
    """Nothing is done."""
    yield from frames


def plain_mean(clip: BenchClip, frames: np.ndarray) -> Iterator[np.ndarray]:
    """The mean over the window, pixel by pixel, as if nothing moved."""
    for target in range(len(frames)):
        yield frames[[target, *window(target, WINDOW, len(frames))]].mean(axis=0)


def flow_mean(clip: BenchClip, frames: np.ndarray) -> Iterator[np.ndarray]:
    """The mean over the window, each source remapped by OpenCV's DIS flow between the guides."""
    import cv2

    estimator = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    greys = [cv2.cvtColor(np.rint(guide * 255).astype(np.uint8), cv2.COLOR_RGB2GRAY) for guide in clip.guide]
    rows, columns = np.mgrid[: frames.shape[1], : frames.shape[2]].astype(np.float32)
    for target in range(len(frames)):
        total = frames[target].copy()
        sources = window(target, WINDOW, len(frames))
        for source in sources:
            flow = estimator.calc(greys[target], greys[source], None)
            x, y = columns + flow[..., 0], rows + flow[..., 1]
            total += cv2.remap(frames[source], x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        yield np.clip(total / (len(sources) + 1), 0, 1)


def paper_matching_mean(clip: BenchClip, frames: np.ndarray) -> Iterator[np.ndarray]:
    """The mean over a smaller window, each source remapped by patch matching of colours."""
    yield from paper_mean(clip.guide, frames, window=PAPER_WINDOW, bands=Bands("cpu"))


def exact_mean(clip: BenchClip, frames: np.ndarray) -> Iterator[np.ndarray]:
    """The mean over all sources that show the point, remapped by exact motion."""
    yield from _exact(clip, frames, lambda target, source, change: np.ones(change.shape[:2]))


def exact_weighed_mean(clip: BenchClip, frames: np.ndarray) -> Iterator[np.ndarray]:
    """The same, weighed by nearness in time and by how little the guide changes along the motion."""

    def weigh(target: int, source: int, change: np.ndarray) -> np.ndarray:
        nearness = 1 - abs(source - target) / (WINDOW + 1)
        return nearness * np.exp(-0.5 * (change**2).sum(axis=-1) / GUIDE_SIGMA**2)

    yield from _exact(clip, frames, weigh)


def _exact(
    clip: BenchClip, frames: np.ndarray, weigh: Callable[[int, int, np.ndarray], np.ndarray]
) -> Iterator[np.ndarray]:
    """Weighted means along exact motion; `weigh(target, source, change of the guide)` returns weights (H, W)."""
    motion = clip.clip()
    motion.reserve(WINDOW)
    for target in range(len(frames)):
        total, weights = frames[target].astype(np.float64), np.ones(frames.shape[1:3])
        for source in window(target, WINDOW, len(frames)):
            field = motion.field(target, source)
            change = remap(clip.guide[source], field) - clip.guide[target]
            weight = weigh(target, source, change) * (field[..., 2] > 0)
            total += weight[..., None] * remap(frames[source], field)
            weights += weight
        yield total / weights[..., None]


def window(target: int, reach: int, count: int) -> list[int]:
    """The indices of the other frames of a window."""
    return [i for i in range(max(0, target - reach), min(count - 1, target + reach) + 1) if i != target]


BASELINES: dict[str, Row] = {
    "identity": identity,
    "plain mean": plain_mean,
    "DIS-flow mean": flow_mean,
    "paper's patch matching": paper_matching_mean,
    "exact plain mean": exact_mean,
    "exact, weighed by guide": exact_weighed_mean,
}
