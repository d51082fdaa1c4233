"""Between frames and latents: the VAE used deterministically.

Frames are float32 in [0, 1] display-referred sRGB, shape (T, H, W, 3); latents are (T, C, h, w) with h, w = H, W
divided by the VAE's scale factor, rounded up. The VAE always computes in float32: half precision costs it visible
detail, and the deflickering takes differences of its outputs.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import torch
from diffusers import AutoencoderKL, AutoencoderTiny

from .lean_vae import lean_vae
from .memory import Ladder, Report, Resident, say_nothing

# Frames that go through the VAE together. Fixed, and short groups are filled up, because convolution kernels may round
# differently for another batch size: the same frame must give the same bits. On the CPU four frames take 1.2 times as
# long per frame as one.
VAE_BATCH = {"cpu": 1, "cuda": 4}
TILES = (512, 256)
"""Sizes that are tried where a whole frame does not fit [px], multiples of every scale factor."""


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


def decode_each(codec: Codec, latents: torch.Tensor) -> Iterator[torch.Tensor]:
    """Yield the frames (H, W, 3) of latents (T, C, h, w) one by one; one batch of them is in memory."""
    with codec.resident():
        for part in latents.split(codec.batch):
            yield from codec.decode(part)


def frame_reader(codec: Codec, latents: torch.Tensor) -> Callable[[int], torch.Tensor]:
    """What returns the frame (H, W, 3) at an index of latents (T, C, h, w), for a reader that goes on in order.

    It decodes a batch ahead and holds nothing else; going back is allowed and costs decoding again.
    """
    held: dict[int, torch.Tensor] = {}

    def read(index: int) -> torch.Tensor:
        if index not in held:
            held.clear()
            held.update(enumerate(codec.decode(latents[index : index + codec.batch]), start=index))
        return held.pop(index)

    return read


def encode_each(codec: Codec, frames: Iterable[torch.Tensor], count: int) -> torch.Tensor:
    """Latents (count, C, h, w), on the CPU, of frames (H, W, 3) that come one by one; a batch of them is in memory."""
    latents = torch.empty((count, *codec.latent_shape))
    with codec.resident():
        source = iter(frames)
        for part in latents.split(codec.batch):
            part.copy_(codec.encode(torch.stack([next(source) for _ in part])))
    return latents


class _Autoencoder:
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


class LatentCodec(_Autoencoder):
    """A `Codec` for frames of any size from the VAE of a latent diffusion model, in float32.

    Sizes that it cannot divide are continued at the right and bottom edge before encoding and cropped after decoding,
    so nothing is scaled and the picture keeps its place.
    """

    def __init__(
        self,
        vae: AutoencoderKL,
        *,
        height: int,
        width: int,
        device: torch.device,
        batch: int = 0,
        report: Report = say_nothing,
    ) -> None:
        """Use a VAE for frames of one size.

        Args:
            vae: float32; its parameters are shared, and turned to channels last on the CPU.
            height: of the frames [px].
            width: of the frames [px].
            device: where it computes; off a GPU it stays in main memory while it is not used.
            batch: frames that go through it together, 0 for what suits the device.
            report: told when memory runs out and less is done at a time.
        """
        config = vae.config
        batch = batch or VAE_BATCH[device.type]
        super().__init__(
            lean_vae(vae),
            channels=config.latent_channels,
            factor=2 ** (len(config.block_out_channels) - 1),
            height=height,
            width=width,
            device=device,
            calls=[*fewer_frames(batch), *(VaeCall(1, tile) for tile in TILES)],
            report=report,
        )
        self._scaling: float = config.scaling_factor
        self._shift: float = getattr(config, "shift_factor", None) or 0.0

    def _to_latents(self, images: torch.Tensor, tile: int) -> torch.Tensor:
        # The posterior's mean, never a sample (DiffSynth, section 3).
        return (self._tiled(tile).encode(images).latent_dist.mode() - self._shift) * self._scaling

    def _to_images(self, latents: torch.Tensor, tile: int) -> torch.Tensor:
        return self._tiled(tile).decode(latents / self._scaling + self._shift).sample

    def _tiled(self, tile: int) -> AutoencoderKL:
        self._vae.use_tiling = tile > 0
        self._vae.tile_sample_min_size, self._vae.tile_latent_min_size = tile, tile // self.factor
        return self._vae


class TinyCodec(_Autoencoder):
    """A `Codec` from a tiny VAE (TAESD) that shares its latents with a model's own: for use inside the loop.

    Its latents are the model's as the denoising loop has them, scaled already, so `scaling_factor` is 1 and there is no
    posterior. It has no normalisation, which makes it small enough without tiles.
    """

    def __init__(
        self,
        vae: AutoencoderTiny,
        *,
        height: int,
        width: int,
        device: torch.device,
        batch: int = 0,
        report: Report = say_nothing,
    ) -> None:
        """Use a tiny VAE for frames of one size; arguments as for `LatentCodec`."""
        config = vae.config
        super().__init__(
            vae,
            channels=config.latent_channels,
            factor=config.upsampling_scaling_factor ** (len(config.num_decoder_blocks) - 1),
            height=height,
            width=width,
            device=device,
            calls=fewer_frames(batch or VAE_BATCH[device.type]),
            report=report,
        )
        self._scaling: float = config.scaling_factor
        self._shift: float = getattr(config, "shift_factor", None) or 0.0

    def _to_latents(self, images: torch.Tensor, tile: int) -> torch.Tensor:
        return (self._vae.encode(images).latents - self._shift) * self._scaling

    def _to_images(self, latents: torch.Tensor, tile: int) -> torch.Tensor:
        return self._vae.decode(latents / self._scaling + self._shift).sample


def fewer_frames(batch: int) -> list[VaeCall]:
    """Calls with ever fewer frames, from `batch` to 1."""
    return [VaeCall(batch >> halvings) for halvings in range(batch.bit_length())]
