"""Exact passes to the images that ControlNets see; the same code in training and at run time.

Depth is normalised once per clip: a range of its own for every frame would make the control, and
with it the result, flicker.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MAX_SAMPLES = 1 << 20
"""Bound on the values kept while looking for the range of a clip (4 MiB), whatever its length."""


@dataclass(frozen=True)
class NormalConvention:
    """How a ControlNet wants normals as colours: rgb = (signs * n + 1) / 2."""

    signs: tuple[float, float, float]
    """For x to the right, y up, z towards the camera."""
    background: tuple[float, float, float]
    """What stands for a normal where there is no surface."""


NORMAL_CONVENTIONS = {
    "opengl": NormalConvention((1.0, 1.0, 1.0), (0.0, 0.0, 0.0)),
    # NYU's and ScanNet's colours, which Bae's estimator was trained on: "blue is front, red is left, green is top"
    # (README of ControlNet 1.1, "Normal 1.1"). The estimator knows no background: it gives unit vectors everywhere.
    "bae": NormalConvention((-1.0, 1.0, 1.0), (0.0, 0.0, 1.0)),
}
"""opengl: red is right, green is up, blue is towards the camera, background is 0.5. bae: red is left."""

QUANTILES = (0.005, 0.995)
"""Share of the clip's inverse depths below the dark and the white end of the depth control."""


@dataclass(frozen=True)
class DepthRange:
    """Inverse depths [1 / scene units] that become 0 (far) and 1 (near) in a whole clip."""

    low: float
    high: float


class RangeFinder:
    """Looks for quantiles of values that come frame by frame, in bounded memory."""

    def __init__(self) -> None:
        """Nothing is taken in yet."""
        self._kept = np.empty(0, np.float32)
        self._stride = 1

    def add(self, values: np.ndarray) -> None:
        """Take in the values of a frame, shape (N,)."""
        self._kept = np.concatenate([self._kept, values[:: self._stride].astype(np.float32)])
        # Every second value of all frames alike goes when the bound is reached: each frame keeps
        # its share, and the same clip always gives the same range.
        while self._kept.size > MAX_SAMPLES:
            self._kept = self._kept[::2]
            self._stride *= 2

    def quantiles(self, shares: tuple[float, float]) -> tuple[float, float]:
        """Return the values below which these shares lie; 0 and 1 where nothing was taken in."""
        if not self._kept.size:
            return 0.0, 1.0
        low, high = np.quantile(self._kept, shares)
        return float(low), float(high)


class DepthRangeFinder:
    """Looks for the range of the inverse depth over a clip, one frame at a time."""

    def __init__(self, background_depth: float) -> None:
        """A pixel at `background_depth` or beyond it is background and does not count."""
        self._background_depth = background_depth
        self._values = RangeFinder()

    def add(self, depth: np.ndarray) -> None:
        """Take in the planar depth of a frame, shape (H, W)."""
        values = depth[depth < self._background_depth]
        self._values.add(1.0 / values[values > 0.0])

    def range(self) -> DepthRange:
        """Return the range of the frames taken in; 0 to 1 where all were background."""
        return DepthRange(*self._values.quantiles(QUANTILES))


def depth_control(depth: np.ndarray, clip: DepthRange, background_depth: float) -> np.ndarray:
    """Return the depth control, near white and background black, [0, 1], shape (H, W, 3)."""
    foreground = (depth < background_depth) & (depth > 0.0)
    inverse = 1.0 / np.where(foreground, depth, 1.0)
    span = clip.high - clip.low
    # A clip of one single depth has no span: all of it is as near as it gets.
    value = (inverse - clip.low) / span if span > 0.0 else np.ones_like(inverse)
    value = np.where(foreground, np.clip(value, 0.0, 1.0), 0.0).astype(np.float32)
    return np.repeat(value[..., None], 3, axis=-1)


def normal_control(
    normal: np.ndarray,
    depth: np.ndarray,
    world_to_camera: np.ndarray,
    background_depth: float,
    *,
    convention: str = "opengl",
) -> np.ndarray:
    """Return the normal control, [0, 1], shape (H, W, 3).

    Args:
        normal: world-space normals of any length, shape (H, W, 3).
        depth: planar depth, shape (H, W).
        world_to_camera: matrix of a camera that looks along -Z with +Y up, shape (4, 4).
        background_depth: a pixel at this depth or beyond it is background.
        convention: of the colours, one of `NORMAL_CONVENTIONS`.
    """
    convert = NORMAL_CONVENTIONS[convention]
    rotation = np.asarray(world_to_camera, np.float64)[:3, :3]
    camera = normal.astype(np.float64) @ rotation.T
    length = np.linalg.norm(camera, axis=-1, keepdims=True)
    known = (length[..., 0] > 1e-6) & (depth < background_depth)
    unit = np.where(known[..., None], camera / np.maximum(length, 1e-6), convert.background)
    return ((unit * convert.signs + 1.0) * 0.5).astype(np.float32)


def grey(plane: np.ndarray) -> np.ndarray:
    """Return a plane (H, W) in [0, 1] as a picture, float32, shape (H, W, 3)."""
    return np.repeat(np.clip(plane, 0.0, 1.0).astype(np.float32)[..., None], 3, axis=-1)
