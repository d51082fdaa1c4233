"""Looks that are painted from a render's passes: pure numpy, functions of what the passes show and of nothing else.

No look draws strokes or grain at random: a moving surface keeps its paint, and a model can learn what it looks like
from the picture alone. What is laid out on the picture itself, as hatching is, repeats every 8 pixels, so that it is
the same in every latent.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .miniature import miniature
from .neon import neon
from .oil import oil
from .passes import Passes
from .pencil import pencil
from .toon import toon
from .watercolour import watercolour

PAINTED: dict[str, Callable[[Passes], np.ndarray]] = {
    "toon": toon,
    "watercolour": watercolour,
    "oil": oil,
    "pencil": pencil,
    "neon": neon,
    "miniature": miniature,
}
"""By name: sRGB pictures float32 in [0, 1], shape (H, W, 3)."""
