"""The score that keeps texture: least where samples are apart, and finer where lines are."""

import pytest
import torch

from diffsynth_blender.demo.train_energy import energy_score, latent_distance, patch_distance, picture_distance

SHAPE = (16, 3, 64, 64)


def noise(seed: int) -> torch.Tensor:
    """Pictures of nothing but texture."""
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("distance", [latent_distance, picture_distance])
def test_the_score_is_least_where_samples_are_spread_somewhat(distance) -> None:
    """Neither at the mean of all truths, which a squared error asks for, nor as far apart as truths are."""
    scores = {
        spread: energy_score(spread * noise(1), spread * noise(2), noise(3), distance).item()
        for spread in (0.0, 0.15, 0.38, 0.7, 1.0)
    }
    assert min(scores, key=scores.__getitem__) == 0.38
    assert scores[0.0] > 1.05 * scores[0.38]


def test_two_samples_alike_are_judged_by_their_distance_alone() -> None:
    """As by an absolute error."""
    sample, truth = noise(1), noise(2)
    score = energy_score(sample, sample, truth, latent_distance)
    torch.testing.assert_close(score, latent_distance(sample, truth), atol=1e-3, rtol=0.0)


def test_a_distance_is_the_root_of_the_mean_square_of_each_patch() -> None:
    """Not of the picture: patches that differ by 0 and by 2 are 1 apart in the mean."""
    error = torch.zeros(1, 3, 4, 8)
    error[..., 4:] = 2.0
    apart = patch_distance(error, 4)
    between = 2.0**0.5  # the patch that lies on both
    torch.testing.assert_close(apart, torch.tensor((0.0 + between + 2.0) / 3), atol=1e-3, rtol=0.0)


def test_a_line_counts_more_than_the_same_error_spread_out() -> None:
    """Gradients: a line a pixel wide is further from nothing than its brightness spread over the picture."""
    line = torch.zeros(1, 3, 32, 32)
    line[..., 16] = 1.0
    flat = torch.full_like(line, line.mean().item())
    assert picture_distance(line, torch.zeros_like(line)) > 2 * picture_distance(flat, torch.zeros_like(line))
