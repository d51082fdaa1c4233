"""Between frames and latents: the VAE used deterministically, and the noise a clip starts from.

Frames are float32 in [0, 1] display-referred sRGB, shape (T, H, W, 3); latents are (T, C, h, w) with h, w = H, W
divided by the VAE's scale factor, rounded up. The VAE always computes in float32: half precision costs it visible
detail, and the deflickering takes differences of its outputs.
"""

from collections.abc import Iterator, Sequence

import torch
from diffusers import AutoencoderKL

# Frames that go through the VAE together. A fixed number, and short groups are filled up, because the CPU's
# convolution kernels may round differently for another batch size: the same frame must give the same bits.
VAE_BATCH = 4


def groups(count: int, size: int) -> Iterator[torch.Tensor]:
    """Index tensors of exactly `size` that cover 0..count-1 in order; the last one repeats its last index."""
    for first in range(0, count, size):
        yield torch.arange(first, first + size).clamp(max=count - 1)


class LatentCodec:
    """A VAE as two deterministic functions, `encode` and `decode`, for frames of any size.

    The VAE is in float32 on `device`. Sizes that it cannot divide are continued at the right and bottom edge before
    encoding and cropped after decoding, so nothing is scaled and the picture keeps its place.
    """

    def __init__(self, vae: AutoencoderKL, *, height: int, width: int, device: torch.device) -> None:
        self._vae = vae
        self._device = device
        self._height, self._width = height, width
        self.factor: int = 2 ** (len(vae.config.block_out_channels) - 1)
        self._scaling: float = vae.config.scaling_factor
        self._shift: float = getattr(vae.config, "shift_factor", None) or 0.0
        self.latent_shape: tuple[int, int, int] = (
            vae.config.latent_channels,
            -(-height // self.factor),
            -(-width // self.factor),
        )

    def pad(self, images: torch.Tensor) -> torch.Tensor:
        """Continue images (B, C, H, W) at the right and bottom edge to a multiple of the scale factor."""
        _, h, w = self.latent_shape
        bottom, right = h * self.factor - self._height, w * self.factor - self._width
        return torch.nn.functional.pad(images, (0, right, 0, bottom), mode="replicate")

    @torch.inference_mode()
    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        """Latents (T, C, h, w) of frames (T, H, W, 3): the posterior mean, never a sample (DiffSynth, section 3)."""
        latents = torch.empty((len(frames), *self.latent_shape), device=self._device)
        for index in groups(len(frames), VAE_BATCH):
            images = frames[index].to(self._device).permute(0, 3, 1, 2) * 2 - 1  # (B, 3, H, W) in [-1, 1]
            mean = self._vae.encode(self.pad(images)).latent_dist.mode()
            latents[index] = (mean - self._shift) * self._scaling
        return latents

    @torch.inference_mode()
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Frames (T, H, W, 3) of latents. Not clipped: what lies outside [0, 1] still differs between frames."""
        frames = torch.empty((len(latents), self._height, self._width, 3), device=self._device)
        for index in groups(len(latents), VAE_BATCH):
            images = self._vae.decode(latents[index] / self._scaling + self._shift).sample
            images = images[:, :, : self._height, : self._width]
            frames[index] = images.permute(0, 2, 3, 1) / 2 + 0.5
        return frames


def fixed_noise(count: int, shape: tuple[int, int, int], *, seed: int) -> torch.Tensor:
    """One Gaussian latent repeated for all frames (T, C, h, w), float32 on the CPU (DiffSynth, "fixed noise").

    Drawn on the CPU whatever the device, so a seed means the same picture everywhere.
    """
    noise = torch.randn((1, *shape), generator=torch.Generator("cpu").manual_seed(seed))
    return noise.expand(count, -1, -1, -1).clone()


def independent_noise(frames: Sequence[int], shape: tuple[int, int, int], *, seed: int) -> torch.Tensor:
    """Noise (T, C, h, w) drawn for each frame on its own, from the seed and the frame's number: the baseline."""
    return torch.cat([fixed_noise(1, shape, seed=seed + 1_000_003 * (1 + frame)) for frame in frames])
