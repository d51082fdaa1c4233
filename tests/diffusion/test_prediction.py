import math

import pytest
import torch

from diffsynth_blender.diffusion.prediction import PREDICTION_TYPES, NoiseLevel, output_change, x0_from_output

LEVELS = [
    *(NoiseLevel(alpha**0.5, (1 - alpha) ** 0.5) for alpha in (0.9991, 0.5, 0.0047)),
    *(NoiseLevel(1 - s, s) for s in (0.01, 0.5, 0.99)),
    *(NoiseLevel(1.0, sigma) for sigma in (0.03, 1.0, 14.6)),
]


# A flow's factors sum to 1, and no other's do.
PAIRS = [
    (kind, level)
    for kind in PREDICTION_TYPES
    for level in LEVELS
    if (kind == "flow_prediction") == (level.signal + level.noise == 1)
]


@pytest.mark.parametrize(("kind", "level"), PAIRS)
def test_output_follows_a_change_of_x0(kind, level):
    """Adding output_change(d) to a model's output moves the x0 it means by d, at every noise level."""
    x_t, output, change = torch.randn(3, 2, 4, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    moved = x0_from_output(output + output_change(change, level, kind), x_t, level, kind)
    torch.testing.assert_close(moved, x0_from_output(output, x_t, level, kind) + change, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("kind", PREDICTION_TYPES)
@pytest.mark.parametrize("level", LEVELS)
def test_no_change_of_x0_is_no_change_of_the_output(kind, level):
    """Whatever the rounding."""
    assert not output_change(torch.zeros(2, 3), level, kind).any()


@pytest.mark.parametrize("level", LEVELS)
def test_predictions_mean_what_they_are_defined_to(level):
    """x0 is recovered from the exact eps, v, flow and x0 of a noised latent."""
    x0, eps = torch.randn(2, 2, 4, 8, 8, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    x_t = level.signal * x0 + level.noise * eps
    r = math.hypot(level.signal, level.noise)
    exact = {
        "epsilon": eps,
        "v_prediction": (level.signal * eps - level.noise * x0) / r,
        "flow_prediction": eps - x0,
        "sample": x0,
    }
    for kind in PREDICTION_TYPES:
        if (kind, level) in PAIRS:
            torch.testing.assert_close(x0_from_output(exact[kind], x_t, level, kind), x0, atol=1e-9, rtol=1e-9)
