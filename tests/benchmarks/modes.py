"""Our own rows of the benchmark: the modes of the smoother. Links are found as the frames come, nothing is prepared."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from diffsynth_blender.blending.smoother import MODES as SMOOTHER_MODES
from diffsynth_blender.blending.smoother import Mode, Smoother

from .baselines import Row
from .clips.load import BenchClip

DEFAULT: Mode = "accurate"
"""The mode that the promises are about."""
WINDOW = 7


def smooth(clip: BenchClip, frames: np.ndarray, *, mode: Mode) -> Iterator[np.ndarray]:
    """One mode of the smoother."""
    smoother = Smoother(clip.clip(), clip.guide.__getitem__, mode=mode, window=WINDOW)
    yield from smoother.stream(frames.__getitem__)


MODES: dict[str, Row] = {mode: partial(smooth, mode=mode) for mode in SMOOTHER_MODES}
