"""Animated settings as the numbers that the engine takes: one value, or one for each frame of a clip."""

from collections.abc import Sequence
from typing import TypeVar

import torch

from ..protocol import Settings

Value = TypeVar("Value")


def per_frame(settings: Settings, key: str, value: Value, frames: Sequence[int]) -> Value | torch.Tensor:
    """A setting over a clip.

    Args:
        settings: of the job.
        key: what it is called in `Settings.animation`.
        value: what it is where it is not animated.
        frames: scene frames of the clip.

    Returns:
        `value`, or a tensor (T,) float32 with the value at each of the frames.
    """
    animation = next((animation for animation in settings.animation if animation.key == key), None)
    return value if animation is None else torch.tensor([animation.at(frame) for frame in frames])
