"""Laws of masks and of the field that a match begins with."""

import numpy as np
import pytest

from tests.patchmatch.pictures import noise, positions, texture
from tests.reference import patchmatch as reference


def moving(height: int = 60, width: int = 80) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A texture that moved by fractions of a pixel: target, source, and where the target's points lie in it."""
    at = positions(height, width)
    shift = np.float32([2.3, -1.6])
    return texture(at)[None], texture(at - shift)[None], (at + shift)[None]


def test_an_initial_field_is_kept_where_it_is_best(match):
    """An exact field comes back bit for bit, where it points into the source: nothing is better."""
    at = positions(50, 70)
    target = noise(1, 50, 70, 3)
    source = np.roll(target, (7, -31), axis=(1, 2))
    initial = ((at + np.float32([-31.0, 7.0])) % (70, 50))[None].astype(np.float32)
    field = match(target, source, initial=initial, patch_size=3)
    # Patches that the roll tore apart have no exact match.
    whole = field.error[0] == 0.0
    assert whole.mean() > 0.85
    np.testing.assert_array_equal(field.nnf[0][whole], initial[0][whole])


def test_an_initial_field_is_always_a_candidate(match):
    """No pixel ends with a larger error than its initial position has, between pixels too."""
    target, source, initial = moving(20, 26)
    initial = initial + np.random.default_rng(0).normal(0.0, 1.0, initial.shape).astype(np.float32)
    field = match(target, source, initial=initial, patch_size=5)
    for y, x in np.ndindex(20, 26):
        position = initial[0, y, x]
        if (position >= 0.0).all() and (position <= (25.0, 19.0)).all():
            error = reference.patch_error(target[0], source[0], [1.0] * 3, (x, y), tuple(position), 2)
            assert field.error[0, y, x] <= error * (1.0 + 1e-5)


def test_nan_is_no_initial_position(match):
    """Holes in the initial field are filled by the search; positions outside the source count as holes."""
    target, source, initial = moving()
    broken = initial.copy()
    broken[0, 20:40, 20:30] = np.nan
    broken[0, 20:40, 30:40] = 1e6
    field = match(target, source, initial=broken)
    error = np.linalg.norm(field.nnf - initial, axis=-1)[0, 20:40, 20:40]
    assert error.mean() < 0.1


def test_neighbours_hand_on_fractions_of_a_pixel(match):
    """Pixels without an initial position take up the motion around them, even without refinement of their own."""
    target, source, initial = moving()
    mask = np.zeros((1, 60, 80), np.uint8)
    mask[0, 30:34, 40:44] = 1
    holes = np.where(mask[..., None] != 0, np.nan, initial).astype(np.float32)
    field = match(target, source, initial=holes, target_mask=mask, subpixel=False)
    np.testing.assert_allclose(field.nnf[mask != 0], initial[mask != 0], atol=1e-4)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
def test_only_marked_pixels_are_searched(match, share):
    """The others keep their initial value bit for bit, or have none, and no error is reported for them."""
    target, source, initial = moving(33, 47)
    mask = (noise(1, 33, 47) < share).astype(np.uint8)
    initial[0, :10] = np.nan
    for start in (initial, None):
        field = match(target, source, initial=start, target_mask=mask)
        kept = np.full_like(initial, np.nan) if start is None else start
        outside = ~((kept >= 0.0) & (kept <= (46.0, 32.0))).all(axis=-1)
        np.testing.assert_array_equal(field.nnf[mask == 0], np.where(outside[..., None], np.nan, kept)[mask == 0])
        assert np.isfinite(field.nnf[mask != 0]).all()
        assert (field.error[mask == 0] > 1e38).all() and (field.error[mask != 0] < 100.0).all()


@pytest.mark.parametrize("subpixel", [False, True])
@pytest.mark.parametrize("share", [0.005, 0.3, 0.9])
def test_no_match_reads_a_forbidden_pixel(match, share, subpixel):
    """However few are allowed; at fractions of a pixel none of the pixels around is forbidden."""
    target, source = noise(2, 61, 45, 3), noise(2, 53, 70, 3, seed=1)
    mask = (noise(2, 53, 70, seed=2) < share).astype(np.uint8)
    initial = (noise(2, 61, 45, 2, seed=3) * (69.0, 52.0)).astype(np.float32)
    for start in (initial, None):
        nnf = match(target, source, source_mask=mask, initial=start, subpixel=subpixel).nnf
        assert np.isfinite(nnf).all()
        for pair in range(2):
            for rounded in (np.floor, np.ceil):
                x, y = rounded(nnf[pair]).astype(int).reshape(-1, 2).T
                assert mask[pair, y, x].all()


def test_allowed_pixels_alone_are_searched_well(match):
    """Within 25 % of the best allowed candidate, where most of what would fit is forbidden."""
    target, source = texture(positions(20, 22)), texture(positions(24, 21) * 1.1)
    mask = (positions(24, 21).sum(axis=-1) > 22.0).astype(np.uint8)
    best = reference.brute_force(target, source, [1.0] * 3, 1, mask)
    found = match(target[None], source[None], source_mask=mask[None], patch_size=3, subpixel=False)
    assert (found.error[0] >= best * (1.0 - 1e-5)).all()
    assert found.error.mean() <= 1.25 * best.mean()


def test_nothing_allowed_is_no_match(match):
    """One pair's empty mask leaves that pair alone without a field."""
    mask = np.ones((2, 30, 30), np.uint8)
    mask[1] = 0
    field = match(noise(2, 30, 30, 3), noise(2, 30, 30, 3, seed=1), source_mask=mask)
    assert np.isfinite(field.nnf[0]).all() and np.isnan(field.nnf[1]).all()
    assert (field.error[0] < 100.0).all() and (field.error[1] > 1e38).all()
