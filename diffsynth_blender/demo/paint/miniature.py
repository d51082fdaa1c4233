"""A miniature under a tilted lens: sharp at one distance only, in the colours of toys."""

from __future__ import annotations

import numpy as np

from ...passes.lines import blur, smoothstep
from .passes import Passes, saturate

SIGMAS = (0.0, 1.5, 3.2, 6.0)
"""Of the blurs that the lens's is mixed from [pixels]."""


def miniature(passes: Passes) -> np.ndarray:
    """Blur grows with the distance from the things' middle, before and behind them; colours are strong and light."""
    image = saturate(np.clip(passes.realistic * 1.15 + 0.03, 0, 1), 1.8)
    image = image + 0.22 * (smoothstep(0.0, 1.0, image) - image) * 2
    near = passes.inverse_depth
    things = near[passes.objects > 1] if (passes.objects > 1).any() else near[passes.objects > 0]
    focus = float(np.median(things)) if things.size else 1.0
    wide = np.clip((np.abs(np.log(np.maximum(near, 1e-3) / focus)) - 0.07) / 0.5, 0, 1)
    level = blur(wide, 0.5)[..., None] * (len(SIGMAS) - 1)
    # What is sharp does not run into what is blurred: it counts for hardly anything there.
    weight = np.clip(4 * wide, 0.02, 1)[..., None]
    blurred = [blur(image * weight, sigma) / blur(weight, sigma) if sigma else image for sigma in SIGMAS]
    mixed = sum(np.clip(1 - np.abs(level - number), 0, 1) * some for number, some in enumerate(blurred))
    return np.clip(mixed, 0, 1).astype(np.float32)
