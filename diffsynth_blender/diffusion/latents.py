"""Between frames and latents: the VAE used deterministically.

Frames and latents are those of `codec`. The VAE always computes in float32: half precision costs it visible detail, and
the deflickering takes differences of its outputs.
"""

from collections.abc import Callable, Iterable, Iterator

import torch
from diffusers import AutoencoderKL, AutoencoderTiny

from .codec import Autoencoder, Codec, VaeCall, fewer_frames, groups
from .lean_tiny_vae import lean_tiny_vae
from .lean_vae import lean_vae
from .memory import Report, say_nothing

__all__ = ["Codec", "LatentCodec", "TinyCodec", "decode_each", "encode_each", "fewer_frames", "frame_reader", "groups"]

# Frames that go through the VAE together. Fixed, and short groups are filled up, because convolution kernels may round
# differently for another batch size: the same frame must give the same bits. On the CPU four frames take 1.2 times as
# long per frame as one.
VAE_BATCH = {"cpu": 1, "cuda": 4}
TILES = (512, 256)
"""Sizes that are tried where a whole frame does not fit [px], multiples of every scale factor."""


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


class LatentCodec(Autoencoder):
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


class TinyCodec(Autoencoder):
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
            lean_tiny_vae(vae),
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
