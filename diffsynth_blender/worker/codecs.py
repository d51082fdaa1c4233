"""The VAEs of a job as codecs whose time is counted as "vae", wherever they are called from."""

import torch

from ..diffusion.latents import Codec, LatentCodec, TinyCodec
from ..models.checkpoint import Checkpoint
from .context import RunContext
from .report import Stopwatch


class _Timed:
    """Counts the time of a codec's two functions."""

    watch: Stopwatch

    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        """See Codec."""
        with self.watch.part("vae"):
            return super().encode(frames)  # type: ignore[misc]

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """See Codec."""
        with self.watch.part("vae"):
            return super().decode(latents)  # type: ignore[misc]


class TimedCodec(_Timed, LatentCodec):
    """The model's own VAE."""


class TimedTinyCodec(_Timed, TinyCodec):
    """The model's tiny VAE."""


def make_codecs(
    checkpoint: Checkpoint, context: RunContext, *, height: int, width: int, device: torch.device, batch: int
) -> tuple[LatentCodec, Codec]:
    """The codec of a job's frames, and the one to use inside the loop: that of the tiny VAE where there is one."""
    options = {"height": height, "width": width, "device": device, "batch": batch, "report": context.note}
    codec = TimedCodec(checkpoint.vae, **options)
    codec.watch = context.watch
    if checkpoint.tiny_vae is None:
        return codec, codec
    tiny = TimedTinyCodec(checkpoint.tiny_vae, **options)
    tiny.watch = context.watch
    return codec, tiny
