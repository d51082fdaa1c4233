"""Latent in-iteration deflickering: the predicted x0 of all frames is made to agree in pixel space.

DiffSynth (arXiv 2308.03463, section 3.2) decodes x0 of every frame, blends each frame with its remapped neighbours
and encodes the result. Encoding a decoded picture does not return its latent, and over many steps that loss eats the
picture; here only the *change* that the smoother made is encoded:

    x0' = x0 + E(S(D x0)) - E(D x0)

so an identity smoother leaves x0 as it was, bit for bit. Frames pass through one after the other: what is in memory is
the smoother's window and one batch on either side of it, however long the clip is.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

import torch

from .latents import Codec
from .per_frame import PerFrame, highest, rows

Fetch: TypeAlias = Callable[[int], torch.Tensor]
"""Index in the clip that is smoothed → the frame (H, W, 3) float32 on the codec's device."""

Smooth: TypeAlias = Callable[[Fetch, int], Iterator[torch.Tensor]]
"""(fetch, window) → the smoothed frames (H, W, 3), in order, one for each frame that is denoised.

It asks `fetch` at most once for each frame, in order, and for every frame that is denoised. `window` is the number of
neighbours to either side that take part. A yielded frame may be overwritten by the next.
"""


def scheduled(values: float | Sequence[float], step: int, step_count: int) -> float:
    """The value of a schedule at step 0..step_count-1: its values are spread evenly over the run, linear in between."""
    if isinstance(values, (int, float)):
        return values
    place = step / max(1, step_count - 1) * (len(values) - 1)
    before = min(int(place), len(values) - 1)
    after = min(before + 1, len(values) - 1)
    return values[before] + (place - before) * (values[after] - values[before])


@dataclass(frozen=True)
class Deflickering:
    """Which steps are deflickered, how strongly and by what.

    Raises ValueError when a setting is out of range.
    """

    smooth: Smooth
    codec: Codec
    window: int | Sequence[int]
    """Schedule of the neighbours to either side [frames], each 0 or more; in between it is rounded."""
    strength: float | Sequence[float] | torch.Tensor = 1.0
    """Schedule; or a tensor (T,) with one for each frame that is denoised, at every step. 0 keeps x0, 1 takes the
    smoothed one."""
    steps: tuple[int, ...] = ()
    """The steps to deflicker, 0 the first; in place of `interval` and `skip_last` where not empty."""
    interval: int = 1
    """Deflicker every k-th step."""
    skip_last: int = 0
    """Leave the last k steps alone; the paper's code skips 1 to keep the blend's blur out of the final picture."""
    places: tuple[int, ...] | None = None
    """Index in the clip that is smoothed of each frame that is denoised, rising; None where they are the same."""
    anchor: Fetch | None = None
    """Returns the known picture of every other frame, such as the finished neighbours of frames that are done again:
    it steadies them and is not itself changed."""

    def __post_init__(self) -> None:
        for name in ("window", "strength"):
            values = getattr(self, name)
            values = (values,) if isinstance(values, (int, float)) else values
            if not len(values) or min(values) < 0:
                raise ValueError(f"{name} must be one value of 0 or more, or several, got {values}")
        if self.interval < 1:
            raise ValueError(f"interval must be 1 step or more, got {self.interval}")

    def at(self, step: int, step_count: int) -> bool:
        """Whether step 0..step_count-1 is deflickered."""
        if self.steps:
            wanted = step in self.steps
        else:
            wanted = step % self.interval == 0 and step < step_count - self.skip_last
        return wanted and self._window(step, step_count) > 0 and highest(self._strength(step, step_count)) > 0

    def apply(self, x0: torch.Tensor, step: int, step_count: int) -> torch.Tensor:
        """The change x0' - x0 of the x0 (T, C, h, w) of all frames that are denoised, on the device of `x0`.

        Raises ValueError when the smoother does not keep its contract.
        """
        change = torch.zeros_like(x0)
        places = range(len(x0)) if self.places is None else self.places
        decoded = zip(places, self._decode(x0, change), strict=True)
        denoised = frozenset(places)

        def fetch(index: int) -> torch.Tensor:
            if self.anchor is not None and index not in denoised:
                return self.anchor(index)
            place, frame = next(decoded, (-1, None))
            if frame is None or place != index:
                raise ValueError(f"the smoother asked for frame {index} out of turn")
            return frame

        with self.codec.resident():
            self._encode(self.smooth(fetch, self._window(step, step_count)), change)
        return change.mul_(rows(self._strength(step, step_count), torch.arange(len(change)), change))

    def _strength(self, step: int, step_count: int) -> PerFrame:
        return self.strength if isinstance(self.strength, torch.Tensor) else scheduled(self.strength, step, step_count)

    def _window(self, step: int, step_count: int) -> int:
        return round(scheduled(self.window, step, step_count))

    def _decode(self, x0: torch.Tensor, change: torch.Tensor) -> Iterator[torch.Tensor]:
        """Yield D x0 frame by frame, and take E(D x0) off `change`."""
        batch = self.codec.batch
        for latents, place in zip(x0.split(batch), change.split(batch), strict=True):
            frames = self.codec.decode(latents)
            place -= self.codec.encode(frames).to(change.device)
            yield from frames

    def _encode(self, smoothed: Iterator[torch.Tensor], change: torch.Tensor) -> None:
        """Add E of the smoothed frames to `change`."""
        for place in change.split(self.codec.batch):
            # The smoother writes its next frame to the same memory.
            frames = [frame.clone() for frame in islice(smoothed, len(place))]
            if len(frames) < len(place):
                raise ValueError(f"the smoother returned fewer than the {len(change)} frames that are denoised")
            place += self.codec.encode(torch.stack(frames)).to(change.device)
