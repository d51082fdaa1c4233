"""Numbers that may change from frame to frame, such as an artist's keyframed guidance."""

from typing import TypeAlias

import torch

PerFrame: TypeAlias = float | torch.Tensor
"""One value for all frames of a clip, or a tensor (T,) float32 with one for each."""


def highest(value: PerFrame) -> float:
    """The highest value of all frames."""
    return float(value.max()) if isinstance(value, torch.Tensor) else value


def rows(value: PerFrame, frames: torch.Tensor, like: torch.Tensor, *, repeats: int = 1) -> PerFrame:
    """The value of some frames as a factor on `like`.

    Args:
        value: of the clip's frames.
        frames: indices (B,) in the clip.
        like: (repeats * B, ...), the frames one after the other, `repeats` times.
        repeats: how many times.

    Returns:
        The one value, or (repeats * B, 1, ...) on the device and of the dtype of `like`.
    """
    if not isinstance(value, torch.Tensor):
        return value
    wanted = value[frames].repeat(repeats).to(like.device, like.dtype)
    return wanted.view(-1, *[1] * (like.dim() - 1))
