"""How good a steadied clip is, beside its truth. Everything is summed up frame by frame.

psnr, ssim          over the whole picture
psnr_*              in disoccluded, silhouette and changing-shade pixels only
detail              share of the truth's high-pass that survives; noise does not count, sharpening would (above 1)
warp_error          mean squared change along the exact motion; beside the truth's own: below it means frozen shading
                    or blur, not merit
error_flicker       the same measure on result minus truth: what still flickers that should not
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from diffsynth_blender.blending.metrics import LUMA, remap

from .clips.load import BenchClip, Masks

MASKS = ("disoccluded", "silhouette", "changing")
HIGH_PASS = 1.5
"""Standard deviation of the Gaussian that is taken off for `detail` [px]."""


@dataclass
class Sum:
    """A running mean of any number of values."""

    total: float = 0.0
    count: int = 0

    def add(self, values: np.ndarray) -> None:
        """Take in an array."""
        self.total += float(np.sum(values, dtype=np.float64))
        self.count += values.size

    @property
    def mean(self) -> float:
        """Of all values so far; NaN of none."""
        return self.total / self.count if self.count else float("nan")


@dataclass
class Quality:
    """Figures of one clip, frame by frame in order; holds two frames."""

    square: dict[str, Sum] = field(default_factory=lambda: {name: Sum() for name in ("all", *MASKS)})
    similarity: Sum = field(default_factory=Sum)
    shared: Sum = field(default_factory=Sum)
    power: Sum = field(default_factory=Sum)
    changes: dict[str, Sum] = field(default_factory=lambda: {"result": Sum(), "truth": Sum(), "error": Sum()})
    _before: dict[str, np.ndarray] = field(default_factory=dict)

    def add(self, result: np.ndarray, truth: np.ndarray, masks: Masks, step: np.ndarray | None) -> None:
        """Take in the next frame.

        Args:
            result: the frame to judge, (H, W, 3).
            truth: what it should be.
            masks: where it is hard.
            step: the exact motion from the frame before to this one, (H, W, 3); None for the first.
        """
        from skimage.metrics import structural_similarity

        error = result.astype(np.float64) - truth
        self.square["all"].add(error**2)
        for name in MASKS:
            self.square[name].add(error[getattr(masks, name)] ** 2)
        similar = structural_similarity(
            result.astype(np.float64),
            truth.astype(np.float64),
            data_range=1.0,
            channel_axis=-1,
            gaussian_weights=True,
            use_sample_covariance=False,
        )
        self.similarity.add(np.array(similar))
        shared, power = detail_sums(result, truth)
        self.shared.add(shared)
        self.power.add(power)
        now = {"result": result, "truth": truth, "error": error.astype(np.float32)}
        if step is not None:
            visible = step[..., 2] > 0
            for name, frame in now.items():
                self.changes[name].add((remap(frame, step)[visible] - self._before[name][visible]) ** 2)
        self._before = now

    def figures(self) -> dict[str, float]:
        """The figures so far."""
        named = {f"psnr_{name}": psnr(self.square[name].mean) for name in MASKS}
        return {
            "psnr": psnr(self.square["all"].mean),
            "ssim": self.similarity.mean,
            "detail": self.shared.total / self.power.total if self.power.total else float("nan"),
            **named,
            "warp_error": self.changes["result"].mean,
            "truth_warp_error": self.changes["truth"].mean,
            "error_flicker": self.changes["error"].mean,
        }


def measure(clip: BenchClip, frames: Iterable[np.ndarray]) -> dict[str, float]:
    """The figures of a steadied clip, read frame by frame."""
    quality = Quality()
    for index, frame in enumerate(frames):
        step = clip.steps[index - 1] if index else None
        quality.add(np.asarray(frame), clip.truth[index], clip.masks[index], step)
    return quality.figures()


def psnr(mean_square: float) -> float:
    """Peak signal to noise ratio [dB] for values in [0, 1]."""
    return float(-10 * np.log10(mean_square)) if mean_square > 0 else float("inf")


def detail_sums(result: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Terms (H, W) whose sums' quotient is the slope of the result's high-pass on the truth's."""
    fine, true_fine = high_pass(result), high_pass(truth)
    return fine * true_fine, true_fine**2


def high_pass(frame: np.ndarray) -> np.ndarray:
    """The luma of a frame less its Gaussian mean, (H, W)."""
    luma = frame.astype(np.float64) @ LUMA.astype(np.float64)
    return luma - gaussian(luma, HIGH_PASS)


def gaussian(values: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian mean of (H, W); beyond the edge the edge repeats."""
    reach = int(np.ceil(4 * sigma))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights /= weights.sum()
    padded = np.pad(values, reach, mode="edge")
    rows = sum(w * padded[i : i + values.shape[0]] for i, w in enumerate(weights))
    return sum(w * rows[:, i : i + values.shape[1]] for i, w in enumerate(weights))
