"""Laws of the picture that a field makes."""

import numpy as np
import pytest
import warp as wp

from diffsynth_blender.patchmatch.matcher import PatchMatcher
from diffsynth_blender.patchmatch.options import MatchOptions
from tests.patchmatch.pictures import noise, positions, texture
from tests.reference import patchmatch as reference


def voter(bands, patch_size: int):
    return PatchMatcher(bands, MatchOptions(patch_size=patch_size))


def field(nnf: np.ndarray):
    return wp.array(nnf, dtype=wp.vec2, device="cpu")


@pytest.mark.parametrize("size", [(1, 1), (9, 14)])
@pytest.mark.parametrize("patch_size", [3, 7])
def test_vote_is_the_mean_over_overlapping_patches(bands, size, patch_size):
    """As written out slowly, between pixels and at borders too."""
    style = noise(2, 11, 8, 3)
    nnf = (noise(2, *size, 2, seed=1) * (7.0, 10.0)).astype(np.float32)
    nnf[0, : size[0] // 3] = np.nan
    voted = voter(bands, patch_size).vote(field(nnf), style).numpy()
    for pair in range(2):
        expected = reference.vote(nnf[pair], style[pair], patch_size // 2)
        np.testing.assert_allclose(voted[pair], expected, atol=1e-6)


def test_the_identity_votes_for_the_style_itself(bands):
    """Bit for bit."""
    style = noise(1, 20, 30, 3)
    np.testing.assert_array_equal(voter(bands, 7).vote(field(positions(20, 30)[None]), style).numpy(), style)


def test_a_match_votes_for_the_target(bands):
    """A moved picture is put together again, to 40 dB and better."""
    at = positions(60, 70)
    target, source = texture(at)[None], texture(at * 1.02 + (3.3, 4.7))[None]
    matcher = voter(bands, 5)
    voted = matcher.vote(matcher.match(target, source, weights=[1, 1, 1]).nnf, source).numpy()
    inner = (slice(None), slice(10, -10), slice(10, -10))
    assert -10.0 * np.log10(np.mean((voted - target)[inner] ** 2)) > 40.0
