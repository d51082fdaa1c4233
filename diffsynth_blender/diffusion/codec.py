"""What is between frames and latents, whatever the VAE: padding, batches, the device, and less where memory runs out.

Frames are float32 in [0, 1] display-referred sRGB, shape (T, H, W, 3); latents are (T, C, h, w) with h, w = H, W
divided by the VAE's scale factor, rounded up.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import torch

from .memory import Ladder, Report, Resident


@dataclass(frozen=True)
class VaeCall:
    """How frames go through a VAE."""

    frames: int
    """Together."""
    tile: int = 0
    """Size of the tiles that a frame is cut into [px], 0 for none. Tiles overlap by a quarter and are cross-faded, but
    each normalises by itself: the only way here that changes more than rounding."""

    def __str__(self) -> str:
        return f"{self.frames} at a time" + (f" in tiles of {self.tile} px" if self.tile else "")


class Codec(Protocol):
    """Two deterministic functions between frames and latents."""

    latent_shape: tuple[int, int, int]
    """(C, h, w)."""

    @property
    def batch(self) -> int:
        """Frames that are best handed over together."""

    def resident(self) -> AbstractContextManager[object]:
        """Keeps the VAE on its device for the length of a block, where many calls follow each other."""

    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        """Latents (T, C, h, w) of frames (T, H, W, 3), on the VAE's device."""

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Frames (T, H, W, 3) of latents, on the VAE's device; not clipped to [0, 1]."""


def groups(count: int, size: int) -> Iterator[torch.Tensor]:
    """Index tensors of exactly `size` that cover 0..count-1 in order; the last one repeats its last index."""
    for first in range(0, count, size):
        yield torch.arange(first, first + size).clamp(max=count - 1)


def fewer_frames(batch: int) -> list[VaeCall]:
    """Calls with ever fewer frames, from `batch` to 1."""
    return [VaeCall(batch >> halvings) for halvings in range(batch.bit_length())]


class Autoencoder:
    """What all VAEs share: padding, batches, the device, and less at a time where memory runs out."""

    def __init__(
        self,
        vae: torch.nn.Module,
        *,
        channels: int,
        factor: int,
        height: int,
        width: int,
        device: torch.device,
        calls: Sequence[VaeCall],
        report: Report,
    ) -> None:
        self._vae = vae
        self._device = device
        self._resident = Resident(device, vae)
        self._height, self._width = height, width
        self.factor = factor
        self.latent_shape: tuple[int, int, int] = (channels, -(-height // factor), -(-width // factor))
        self._ladder = Ladder("frames through the VAE", calls, report)

    @property
    def batch(self) -> int:
        """See Codec."""
        return self._ladder.rung.frames

    def resident(self) -> AbstractContextManager[object]:
        """See Codec."""
        return self._resident

    def pad(self, images: torch.Tensor) -> torch.Tensor:
        """Continue images (B, C, H, W) at the right and bottom edge to a multiple of the scale factor."""
        _, h, w = self.latent_shape
        bottom, right = h * self.factor - self._height, w * self.factor - self._width
        return torch.nn.functional.pad(images, (0, right, 0, bottom), mode="replicate")

    @torch.inference_mode()
    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        """See Codec."""

        def some(index: torch.Tensor, tile: int) -> torch.Tensor:
            images = frames[index].to(self._device).permute(0, 3, 1, 2) * 2 - 1  # (B, 3, H, W) in [-1, 1]
            return self._to_latents(self.pad(images), tile)

        return self._in_batches(len(frames), self.latent_shape, some)

    @torch.inference_mode()
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """See Codec."""

        def some(index: torch.Tensor, tile: int) -> torch.Tensor:
            images = self._to_images(latents[index].to(self._device), tile)[:, :, : self._height, : self._width]
            return images.permute(0, 2, 3, 1) / 2 + 0.5

        return self._in_batches(len(latents), (self._height, self._width, 3), some)

    def _in_batches(
        self, count: int, shape: tuple[int, int, int], some: Callable[[torch.Tensor, int], torch.Tensor]
    ) -> torch.Tensor:
        result = torch.empty((count, *shape), device=self._device)

        def fill(call: VaeCall) -> None:
            for index in groups(count, call.frames):
                result[index] = some(index, call.tile)

        with self._resident:
            self._ladder(fill)
        return result

    def _to_latents(self, images: torch.Tensor, tile: int) -> torch.Tensor:
        """Latents (B, C, h, w) of images (B, 3, H, W) in [-1, 1]."""
        raise NotImplementedError

    def _to_images(self, latents: torch.Tensor, tile: int) -> torch.Tensor:
        """Images (B, 3, H, W) in [-1, 1] of latents (B, C, h, w)."""
        raise NotImplementedError
