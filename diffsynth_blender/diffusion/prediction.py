"""What a denoising model predicts, the x0 that means, and how the output follows a change of x0.

A noisy latent is `x_t = sqrt(a) x0 + sqrt(1-a) eps` with `a` the cumulative alpha of its timestep (DDIM, Song 2020).
Models predict `eps`, or `v = sqrt(a) eps - sqrt(1-a) x0` (Salimans & Ho 2022, eq. in appendix D).
All functions: tensors of equal shape in, the same shape out, computed in the dtype they come in.
"""

from typing import Literal, get_args

import torch

PredictionType = Literal["epsilon", "v_prediction"]
PREDICTION_TYPES: tuple[str, ...] = get_args(PredictionType)


def x0_from_output(output: torch.Tensor, x_t: torch.Tensor, alpha: float, kind: PredictionType) -> torch.Tensor:
    """x0 that a model's output means for the noisy latent `x_t` at cumulative alpha `alpha` in (0, 1]."""
    if kind == "epsilon":
        return (x_t - (1 - alpha) ** 0.5 * output) / alpha**0.5
    return alpha**0.5 * x_t - (1 - alpha) ** 0.5 * output


def output_change(x0_change: torch.Tensor, alpha: float, kind: PredictionType) -> torch.Tensor:
    """What must be added to a model's output so that the x0 it means at the same x_t moves by `x0_change`.

    The derivative of the inverse of `x0_from_output`, which is linear; alpha in (0, 1). Working with the change rather
    than with x0 itself means that no change in x0 is no change in the output, exactly, whatever the rounding.
    """
    if kind == "epsilon":
        return -(alpha**0.5) / (1 - alpha) ** 0.5 * x0_change
    return -x0_change / (1 - alpha) ** 0.5
