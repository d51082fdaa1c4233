"""The noise that a clip starts from, and the noise that stochastic samplers add at later steps.

All kinds are white in every frame; they differ in what is the same from frame to frame: everything ("fixed", DiffSynth
arXiv 2308.03463), what lies on the same surface ("surface"), or nothing ("independent").
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch

from .noise_hash import hash_of
from .noise_surface import SurfacePoints, latent_cells

NoiseKind = Literal["fixed", "surface", "independent"]
NOISE_KINDS: tuple[str, ...] = get_args(NoiseKind)


def fixed_noise(count: int, shape: tuple[int, int, int], *, seed: int) -> torch.Tensor:
    """One Gaussian latent repeated for all frames (T, C, h, w), float32 on the CPU (DiffSynth, "fixed noise").

    Drawn on the CPU whatever the device, so a seed means the same picture everywhere.
    """
    noise = torch.randn((1, *shape), generator=torch.Generator("cpu").manual_seed(seed))
    return noise.expand(count, -1, -1, -1).clone()


def independent_noise(frames: Sequence[int], shape: tuple[int, int, int], *, seed: int) -> torch.Tensor:
    """Noise (T, C, h, w) drawn for each frame on its own, from the seed and the frame's number: the baseline."""
    return torch.cat([fixed_noise(1, shape, seed=seed + 1_000_003 * (1 + frame)) for frame in frames])


def mix_noise(noise: torch.Tensor, fresh: torch.Tensor, share: float) -> torch.Tensor:
    """Two independent noises of variance 1 mixed to one, with a `share` of its variance (0 to 1) from the second."""
    return (1 - share) ** 0.5 * noise + share**0.5 * fresh


@dataclass(frozen=True)
class NoiseSource:
    """All the noise of a run over some frames of a shot; the same for a frame whichever others are computed with it."""

    kind: NoiseKind
    frames: Sequence[int]
    """Scene frames, rising."""
    shape: tuple[int, int, int]
    """Of a frame's latents: channels, h, w."""
    seed: int
    """0 to 2**63 - 1."""
    fresh_share: float = 0.0
    """Share of the variance that is drawn anew for each frame, 0 to 1; 1 is the same as "independent"."""
    points: Callable[[], Iterator[SurfacePoints]] | None = None
    """Goes through the surface points of `frames`, anew at every call; for "surface"."""
    factor: int = 8
    """Pixels of the surface points along the side of a latent pixel; for "surface"."""

    def __post_init__(self) -> None:
        if self.kind not in NOISE_KINDS or not 0 <= self.fresh_share <= 1:
            raise ValueError(f"noise {self.kind!r} is one of {NOISE_KINDS}, its fresh share {self.fresh_share} in 0..1")
        if (self.kind == "surface") != (self.points is not None):
            raise ValueError("noise anchored to surfaces needs the surface points, and other noise none")

    def initial(self) -> torch.Tensor:
        """What the run starts from (T, C, h, w), float32 on the CPU."""
        return self._noise(0)

    def fresh(self, step: int) -> torch.Tensor:
        """What a stochastic sampler adds after step 0, 1...: (T, C, h, w), other noise for every step."""
        return self._noise(1 + step)

    def _noise(self, salt: int) -> torch.Tensor:
        noise = torch.empty((len(self.frames), *self.shape))
        for t, (frame, anchored) in enumerate(zip(self.frames, self._anchored(salt), strict=True)):
            noise[t] = anchored
            if self.fresh_share > 0:
                noise[t] = mix_noise(anchored, self._own(frame, salt), self.fresh_share)
        return noise

    def _anchored(self, salt: int) -> Iterator[torch.Tensor]:
        """Each frame's noise (C, h, w) without the fresh share."""
        channels, *size = self.shape
        if self.points is not None:
            for points in self.points():
                cells = latent_cells(points, self.factor)
                if cells.shape != tuple(size):
                    raise ValueError(f"surface points of {cells.shape} latent pixels for latents of {tuple(size)}")
                yield torch.from_numpy(cells.noise(channels, self.seed, salt))
            return
        fixed = fixed_noise(1, self.shape, seed=self._salted(salt))[0]
        for frame in self.frames:
            yield self._own(frame, salt) if self.kind == "independent" else fixed

    def _own(self, frame: int, salt: int) -> torch.Tensor:
        return independent_noise([frame], self.shape, seed=self._salted(salt))[0]

    def _salted(self, salt: int) -> int:
        """The seed itself for the start of a run, one that follows from it for each later step."""
        return self.seed if salt == 0 else int(hash_of(self.seed, salt)) >> 2
