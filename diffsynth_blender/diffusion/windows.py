"""Which frames go through the model together, and how much of each result counts where windows overlap."""

from dataclasses import dataclass

import torch

from .latents import groups


@dataclass(frozen=True)
class Window:
    """Frames of a clip that are evaluated together."""

    frames: torch.Tensor
    """Indices (size,) int64, rising; the last is repeated where the clip has not enough frames to fill it up."""
    weights: torch.Tensor
    """(used,) float32: shares of the outputs of the first `used` frames; over all windows each frame's sum to 1."""

    def add(self, total: torch.Tensor, output: torch.Tensor) -> None:
        """Add the window's weighted output (size, C, h, w) to that of the clip (T, C, h, w), in place."""
        used = len(self.weights)
        total[self.frames[:used]] += self.weights[:, None, None, None] * output[:used]


def frame_windows(count: int, size: int, stride: int) -> list[Window]:
    """Windows over frames 0..count-1, in order; every computed output is used.

    With `stride == size`, plain groups of exactly `size` frames, the last one filled up: a frame then has the same
    bits whatever else is computed. With a smaller stride they overlap, are weighted by a triangle (DiffSynth-Studio,
    whose windows overlap by half), never exceed the clip, and the last one ends with it.

    Raises ValueError unless 1 <= stride <= size and count is at least 1.
    """
    if count < 1 or not 1 <= stride <= size:
        raise ValueError(f"{count} frames in windows of {size} every {stride}: need 1 or more, and 1 <= stride <= size")
    if stride == size:
        members = list(groups(count, size))
    else:
        size = min(size, count)
        starts = [*range(0, count - size, stride), count - size]
        members = [torch.arange(start, start + size) for start in starts]
    shares = [_triangle(min(size, count - int(frames[0]))) for frames in members]
    total = torch.zeros(count)
    for frames, share in zip(members, shares, strict=True):
        total[frames[: len(share)]] += share
    return [Window(frames, share / total[frames[: len(share)]]) for frames, share in zip(members, shares, strict=True)]


def _triangle(size: int) -> torch.Tensor:
    """Weights (size,) that fall from the middle to the ends; never 0, so that every frame has some."""
    middle = (size - 1) / 2
    return (1 - (torch.arange(size) - middle).abs() / (middle + 0.005)).clamp(min=0.01)
