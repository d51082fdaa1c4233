"""What a denoising model predicts, the x0 that means, and how the output follows a change of x0.

A noisy latent is `x_t = signal * x0 + noise * eps`. The two factors are all that samplers differ in:

    variance preserving (DDIM, Song 2020)     signal = sqrt(a)   noise = sqrt(1 - a)    a the cumulative alpha
    variance exploding (Euler, Karras 2022)   signal = 1         noise = sigma
    flow matching (Lipman 2023)               signal = 1 - s     noise = s

Models predict `eps`; or `v = (signal eps - noise x0) / r` with `r = hypot(signal, noise)` (Salimans & Ho 2022, appendix
D; r is 1 where variance is preserved); or the flow `eps - x0`; or x0 itself, which diffusers calls "sample".
All functions: tensors of equal shape in, the same shape out, computed in the dtype they come in.
"""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch

PredictionType = Literal["epsilon", "v_prediction", "flow_prediction", "sample"]
PREDICTION_TYPES: tuple[str, ...] = get_args(PredictionType)


@dataclass(frozen=True)
class NoiseLevel:
    """How much of a noisy latent is picture and how much noise."""

    signal: float
    """Factor of x0, above 0; flows and velocity models may start at 0, where nothing is left of the picture."""
    noise: float
    """Factor of eps, above 0."""


def x0_from_output(output: torch.Tensor, x_t: torch.Tensor, level: NoiseLevel, kind: PredictionType) -> torch.Tensor:
    """x0 that a model's output means for the noisy latent `x_t`, which is not scaled for the model's input."""
    if kind == "epsilon":
        return (x_t - level.noise * output) / level.signal
    if kind == "v_prediction":
        r = math.hypot(level.signal, level.noise)
        return (level.signal / r * x_t - level.noise * output) / r
    if kind == "flow_prediction":
        # Holds because a flow's two factors sum to 1.
        return x_t - level.noise * output
    return output


def output_change(x0_change: torch.Tensor, level: NoiseLevel, kind: PredictionType) -> torch.Tensor:
    """What must be added to a model's output so that the x0 it means at the same x_t moves by `x0_change`.

    The derivative of the inverse of `x0_from_output`, which is linear. Working with the change rather than with x0
    itself means that no change in x0 is no change in the output, exactly, whatever the rounding.
    """
    if kind == "epsilon":
        return -level.signal / level.noise * x0_change
    if kind == "v_prediction":
        return -math.hypot(level.signal, level.noise) / level.noise * x0_change
    if kind == "flow_prediction":
        return -x0_change / level.noise
    return x0_change
