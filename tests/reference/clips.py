"""Scenes as the clips and pictures that the product works on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from diffsynth_blender.motion.clip import Clip
from tests.reference.scene import BACKGROUND_DEPTH, Scene


def clip_of(scene: Scene, frames: Sequence[int], **options) -> Clip:
    """Return the clip of `frames`, with passes of every frame from the first to the last."""
    pass_frames = range(min(frames), max(frames) + 1)
    return Clip(
        frames,
        pass_frames,
        options.pop("reader", scene.passes),
        {frame: scene.camera(frame) for frame in pass_frames},
        width=scene.width,
        height=scene.height,
        background_depth=BACKGROUND_DEPTH,
        sample_offset=scene.sample_offset,
        **options,
    )


def pictures_of(scene: Scene, frames: Sequence[int], samples: int = 1) -> np.ndarray:
    """Return the frames, float32 (T, H, W, 3) in [0, 1]."""
    return np.stack([scene.picture(frame, samples) for frame in frames])
