"""Colours held over a shot: what a frame's colours do that the source frame's do not is the model's drift.

Latents' channels carry colour and contrast, so the mean and the spread of each are compared with those of the source's
latents. How they relate is held to what it is on average over the clip: real changes of the source's light remain.
"""

from dataclasses import dataclass

import torch

LEAST_SPREAD = 0.02
"""Added to spreads before they are compared, so that the ratio of two flat frames is 1. The latents of pictures spread
by about 1; those of one even colour by less than this."""

LARGEST_GAIN = 2.0
"""How much a frame's contrast may be changed. Drift of a model is some tens of percent; more than this comes from a
frame that is nearly flat, where a ratio says nothing."""


@dataclass(frozen=True)
class ColourStatistics:
    """Mean and spread of each channel over each frame."""

    mean: torch.Tensor
    """(T, C) float32."""
    spread: torch.Tensor
    """Standard deviation, (T, C) float32."""

    @classmethod
    def of(cls, latents: torch.Tensor) -> "ColourStatistics":
        """The statistics of latents (T, C, h, w), one frame at a time."""
        means, spreads = [], []
        for frame in latents:
            spread, mean = torch.std_mean(frame.float(), dim=(1, 2), correction=0)
            means.append(mean.cpu())
            spreads.append(spread.cpu())
        return cls(torch.stack(means), torch.stack(spreads))


class ColourHold:
    """Takes the drift of colours out of the predicted x0 of a clip."""

    def __init__(self, source: torch.Tensor, strength: float) -> None:
        """Note the colours of the shot.

        Args:
            source: latents (T, C, h, w) of the source frames.
            strength: how far drift is taken out, 0 (not at all) to 1.
        """
        if not 0 <= strength <= 1:
            raise ValueError(f"strength {strength} is not between 0 and 1")
        self._source = ColourStatistics.of(source)
        self._strength = strength

    def at(self, step: int, step_count: int) -> bool:
        """At every step, unless the strength is 0."""
        return self._strength > 0

    def apply(self, x0: torch.Tensor, step: int = 0, step_count: int = 1) -> torch.Tensor:
        """What must be added to the x0 (T, C, h, w) of all frames, on its device and in float32.

        A frame's x0 becomes `(x0 - mean) gain + mean + shift`: the gain brings its spread's ratio to the source's to
        the clip's average, and the shift its mean's distance from the source's mean times that ratio. A look that is
        the same linear map of every source frame is left as it is.
        """
        found, source = ColourStatistics.of(x0), self._source
        if found.mean.shape != source.mean.shape:
            raise ValueError(
                f"x0 {tuple(x0.shape)} is not of the clip with {tuple(source.mean.shape)} frames, channels"
            )
        contrast = ((found.spread + LEAST_SPREAD) / (source.spread + LEAST_SPREAD)).log()
        # A look of more contrast than the source also follows the source's light by more.
        cast = found.mean - contrast.mean(0).exp() * source.mean
        shift = cast.mean(0) - cast
        gain = (contrast.mean(0) - contrast).exp().clamp(1 / LARGEST_GAIN, LARGEST_GAIN)
        change = torch.empty_like(x0, dtype=torch.float32)
        for t, frame in enumerate(x0):
            mean, more, add = (
                values[t, :, None, None].to(frame.device) for values in (found.mean, self._strength * (gain - 1), shift)
            )
            change[t] = (frame.float() - mean) * more + self._strength * add
        return change
