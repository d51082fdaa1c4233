"""A pencil drawing: lines, graphite shading, hatching in two directions."""

from __future__ import annotations

import numpy as np

from ...passes.lines import blur, smoothstep
from .passes import LUMA, Passes, outlines, soft_kuwahara

PAPER = np.array([0.965, 0.955, 0.93], np.float32)
GRAPHITE = np.array([0.17, 0.17, 0.19], np.float32)
PERIOD = 8
"""Of the hatching along rows and columns [pixels]: a block of the autoencoder, so hatching is the same in each."""


def pencil(passes: Passes) -> np.ndarray:
    """Darkness becomes smooth shading and, from a third on, hatching; from two thirds on, hatching across it."""
    tone = soft_kuwahara(passes.realistic, 1.0, 2.0) @ LUMA
    foreground = passes.objects > 0
    # What falls into shadow is drawn darker than what is merely of a dark colour; the sky hardly at all.
    dark = 1 - np.clip(tone * 1.15, 0, 1)
    shadow = 1 - np.clip(blur(passes.light, 1.0), 0, 1)
    dark = np.where(foreground, 0.62 * dark + 0.38 * shadow, 0.45 * dark)
    first, second = hatching(dark.shape)
    strokes = np.maximum(
        smoothstep(-0.12, 0.12, 1.25 * dark - 0.18 - first), smoothstep(-0.12, 0.12, 1.25 * dark - 0.62 - second)
    )
    shading = 0.5 * dark + 0.38 * strokes * smoothstep(0.1, 0.45, dark)
    line = np.clip(1.15 * outlines(passes, 0.12), 0, 1) * 0.9
    ink = np.clip(np.maximum(shading, line), 0, 1)[..., None]
    return PAPER * (1 - ink) + GRAPHITE * ink


def hatching(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Height of the strokes of two directions, (H, W) in [0, 1]: 0 in the middle of a line, 1 between two."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return tuple(
        (np.abs((columns + sign * rows) % PERIOD - PERIOD / 2) / (PERIOD / 2)).astype(np.float32) for sign in (1, -1)
    )
