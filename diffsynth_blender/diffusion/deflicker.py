"""Latent in-iteration deflickering: the predicted x0 of all frames is made to agree in pixel space.

DiffSynth (arXiv 2308.03463, section 3.2) decodes x0 of every frame, blends each frame with its remapped neighbours
and encodes the result. Encoding a decoded picture does not return its latent, and over many steps that loss eats the
picture; here only the *change* that the smoother made is encoded:

    x0' = x0 + E(S(D x0)) - E(D x0)

so an identity smoother leaves x0 as it was, bit for bit.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from .latents import LatentCodec

Smooth = Callable[[torch.Tensor], torch.Tensor]
"""Frames (T, H, W, 3) float32 on a device → the same, steadied. Must not change its argument."""


@dataclass(frozen=True)
class Deflickering:
    """Which steps are deflickered, how strongly and by what."""

    smooth: Smooth
    codec: LatentCodec
    interval: int = 1
    """Deflicker every k-th step."""
    skip_last: int = 0
    """Leave the last k steps alone; the paper's code skips 1 to keep the blend's blur out of the final picture."""
    strength: float = 1.0
    """0 keeps x0, 1 takes the smoothed one."""

    def at(self, step: int, step_count: int) -> bool:
        """Whether step 0..step_count-1 is deflickered."""
        return step % self.interval == 0 and step < step_count - self.skip_last

    def change(self, x0: torch.Tensor) -> torch.Tensor:
        """x0' - x0 for the x0 (T, C, h, w) of all frames of the clip."""
        frames = self.codec.decode(x0)
        return self.strength * (self.codec.encode(self.smooth(frames)) - self.codec.encode(frames))
