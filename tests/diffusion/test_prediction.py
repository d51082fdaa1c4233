import pytest
import torch

from diffsynth_blender.diffusion.prediction import PREDICTION_TYPES, output_change, x0_from_output


@pytest.mark.parametrize("kind", PREDICTION_TYPES)
@pytest.mark.parametrize("alpha", [0.9991, 0.5, 0.0047])
def test_output_follows_a_change_of_x0(kind, alpha):
    """Adding output_change(d) to a model's output moves the x0 it means by d, from the first to the last timestep."""
    x_t, output, change = torch.randn(3, 2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    moved = x0_from_output(output + output_change(change, alpha, kind), x_t, alpha, kind)
    torch.testing.assert_close(moved, x0_from_output(output, x_t, alpha, kind) + change, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("alpha", [0.9991, 0.5, 0.0047])
def test_predictions_mean_what_they_are_defined_to(alpha):
    """x0 is recovered from the exact eps and the exact v of a noised latent."""
    x0, eps = torch.randn(2, 2, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    x_t = alpha**0.5 * x0 + (1 - alpha) ** 0.5 * eps
    v = alpha**0.5 * eps - (1 - alpha) ** 0.5 * x0
    torch.testing.assert_close(x0_from_output(eps, x_t, alpha, "epsilon"), x0, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(x0_from_output(v, x_t, alpha, "v_prediction"), x0, atol=1e-5, rtol=1e-5)
