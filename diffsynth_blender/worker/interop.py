"""torch tensors and Warp arrays over the same memory, on the processor and on CUDA."""

from collections.abc import Callable

import torch
import warp as wp


def warp_device(device: torch.device) -> str:
    """Warp's name of a torch device."""
    return "cpu" if device.type == "cpu" else f"cuda:{device.index or 0}"


def smooth_tensors(smooth: Callable[[wp.array], wp.array]) -> Callable[[torch.Tensor], torch.Tensor]:
    """A smoother of Warp arrays (T, H, W) of vec3 as a function of tensors (T, H, W, 3), without copies."""

    def smoothed(frames: torch.Tensor) -> torch.Tensor:
        return wp.to_torch(smooth(wp.from_torch(frames.contiguous(), dtype=wp.vec3)))

    return smoothed
