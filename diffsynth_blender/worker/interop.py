"""torch tensors and Warp arrays over the same memory, on the processor and on CUDA."""

from collections.abc import Iterator, Sequence

import torch
import warp as wp

from ..blending.smoother import Smoother
from ..diffusion.deflicker import Fetch, Smooth


def warp_device(device: torch.device) -> str:
    """Warp's name of a torch device."""
    return "cpu" if device.type == "cpu" else f"cuda:{device.index or 0}"


def stream_tensors(smoother: Smoother, targets: Sequence[int] | None = None) -> Smooth:
    """A smoother as the denoising loop wants it: frames pass through as tensors, one after the other, without copies.

    `targets` are the frames that come out, rising; None for all.
    """

    def smoothed(fetch: Fetch, window: int) -> Iterator[torch.Tensor]:
        def frame(index: int) -> wp.array:
            return wp.from_torch(fetch(index).contiguous(), dtype=wp.vec3)

        yield from map(wp.to_torch, smoother.stream_arrays(frame, window=window, targets=targets))

    return smoothed
