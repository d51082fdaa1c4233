"""Laws of the nearest-neighbour field."""

from itertools import pairwise, product

import numpy as np
import pytest
import warp as wp

from diffsynth_blender.patchmatch.matcher import PatchMatcher
from diffsynth_blender.patchmatch.options import MatchOptions
from tests.patchmatch.pictures import noise, positions, texture
from tests.reference import patchmatch as reference

SIZES = [(1, 1), (1, 7), (5, 1), (2, 2), (9, 17), (25, 25), (31, 47), (64, 33)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("patch_size", [3, 7, 31])
def test_the_identity_is_a_fixed_point(match, size, patch_size):
    """Equal pictures match pixel to same pixel, exactly, sub-pixel steps included."""
    picture = noise(1, *size, 3)
    field = match(picture, picture, patch_size=patch_size)
    np.testing.assert_array_equal(field.nnf[0], positions(*size))
    assert (field.error == 0.0).all()


def test_the_identity_holds_where_everything_is_one_colour(match):
    """Where every position fits equally well, nothing moves."""
    picture = np.full((1, 40, 52, 3), 0.3, np.float32)
    np.testing.assert_array_equal(match(picture, picture).nnf[0], positions(40, 52))


@pytest.mark.parametrize("subpixel", [False, True])
@pytest.mark.parametrize(("size", "source_size"), [*zip(SIZES, reversed(SIZES), strict=True), ((40, 30), (40, 30))])
def test_every_entry_is_in_bounds(match, size, source_size, subpixel):
    """Any sizes go together, and every position lies on the source."""
    field = match(noise(2, *size, 3), noise(2, *source_size, 3, seed=1), patch_size=5, subpixel=subpixel)
    assert field.nnf.shape == (2, *size, 2) and field.error.shape == (2, *size)
    assert (field.nnf >= 0.0).all() and (field.nnf <= np.flip(source_size) - 1.0).all()
    assert np.isfinite(field.error).all()
    if not subpixel:
        np.testing.assert_array_equal(field.nnf, np.round(field.nnf))


@pytest.mark.parametrize("channels", [1, 3, 4, 5, 16])
@pytest.mark.parametrize("subpixel", [False, True])
def test_the_reported_error_is_that_of_the_reported_position(match, channels, subpixel):
    """For any number of channels and any weights, as the slow definition has it."""
    target, source = noise(1, 11, 14, channels), noise(1, 13, 9, channels, seed=1)
    weights = np.random.default_rng(2).uniform(0.0, 3.0, channels).tolist()
    field = match(target, source, weights=weights, patch_size=5, subpixel=subpixel)
    for y, x in product(range(11), range(14)):
        expected = reference.patch_error(target[0], source[0], weights, (x, y), tuple(field.nnf[0, y, x]), 2)
        assert field.error[0, y, x] == pytest.approx(expected, rel=1e-5)


def test_error_never_rises(match):
    """Not over an iteration, and not in the sub-pixel steps, at any pixel."""
    target, source = noise(1, 40, 31, 3), noise(1, 33, 37, 3, seed=1)
    # One level: the random numbers of an iteration do not depend on how many there are.
    options = {"patch_size": 5, "coarsest": 64}
    errors = [match(target, source, subpixel=False, iterations=count, **options).error for count in range(1, 7)]
    errors.append(match(target, source, subpixel=True, iterations=6, **options).error)
    for before, after in pairwise(errors):
        assert (after <= before).all() and (after < before).any()


def test_close_to_the_best_there_is(match):
    """On 24x24, against every candidate: mean error of a shifted texture within 10 %, of noise within 35 %."""
    at = positions(24, 24)
    pairs = {
        "texture": (texture(at + 40.0) + 0.05 * noise(24, 24, 3), texture(at * 1.04 + 38.0), 1.1),
        "noise": (noise(24, 24, 3, seed=2), noise(24, 24, 3, seed=3), 1.35),
    }
    for target, source, margin in pairs.values():
        best = reference.brute_force(target, source, [1.0] * 3, 2)
        found = match(target[None], source[None], patch_size=5, subpixel=False, iterations=6).error[0]
        assert (found >= best * (1.0 - 1e-5)).all()
        assert found.mean() <= margin * best.mean()


@pytest.mark.parametrize("patch_size", [3, 7, 15])
def test_a_shift_is_recovered(match, patch_size):
    """Away from the border every pixel finds the whole number of pixels that the picture moved by."""
    at = positions(70, 91)
    shift = np.float32([13.0, -6.0])
    target, source = texture(at)[None], texture(at - shift)[None]
    inner = (slice(14, -14), slice(20, -20))
    found = match(target, source, patch_size=patch_size, subpixel=False).nnf[0]
    # The waves of the texture come near to repeating in places.
    assert (found == at + shift).all(axis=-1)[inner].mean() > 0.995


def test_a_shift_by_a_fraction_is_recovered(match):
    """Mean error under 0.1 px, a tenth of what whole pixels leave."""
    at = positions(60, 75)
    for shift in ((0.5, -0.25), (-3.3, 2.6), (4.15, 0.0)):
        target, source = texture(at)[None], texture(at - shift)[None]
        found = match(target, source, patch_size=7).nnf[0]
        error = np.linalg.norm(found - at - shift, axis=-1)[10:-10, 10:-10]
        assert error.mean() < 0.1


def test_a_border_is_no_bias(match):
    """A patch that is cut off compares what is left: the moved picture is recovered up to its border.

    Zeros beyond the border would make the border's patches differ, and a constant added to both pictures matter.
    """
    at = positions(50, 60)
    target, source = texture(at)[None], texture(at - (3.0, 2.0))[None]
    shift = np.float32([3.0, 2.0])
    for brighter in (0.0, 4.0):
        found = match(target + np.float32(brighter), source + np.float32(brighter), patch_size=7, subpixel=False)
        # What the source still shows.
        np.testing.assert_array_equal(found.nnf[0, :-2, :-3], (at + shift)[:-2, :-3])


def test_a_normal_channel_tells_apart_what_colours_cannot(match):
    """Two equal colours, two normals: only with the normals in the guides does each half find its own side."""
    at = positions(40, 60)
    colours = texture(at % 20.0)
    normals = np.where(at[..., :1] < 30.0, [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]).astype(np.float32)
    target = np.concatenate([colours, normals], axis=-1)[None]
    # The source shows the halves swapped.
    source = np.concatenate([colours, normals[:, ::-1]], axis=-1)[None]
    inner = (slice(None), [*range(6, 24), *range(36, 54)])
    for weights, crosses in (([1.0] * 3 + [0.0] * 3, False), ([1.0] * 6, True)):
        found = match(target, source, weights=weights, patch_size=5, iterations=6).nnf[0]
        swapped = (found[..., 0] < 30.0) != (at[..., 0] < 30.0)
        assert swapped[inner].mean() > 0.98 if crosses else not swapped.any()


def test_weights_are_factors_on_squared_differences(match):
    """Twice the weight is the same match at twice the error."""
    target, source = noise(1, 20, 20, 2), noise(1, 20, 20, 2, seed=1)
    once, twice = (match(target, source, weights=[a, 2.0 * a], subpixel=False) for a in (1.0, 4.0))
    np.testing.assert_array_equal(once.nnf, twice.nnf)
    np.testing.assert_allclose(twice.error, 4.0 * once.error, rtol=1e-6)


def test_same_seed_same_field_in_any_place_of_a_batch(match):
    """Bit for bit; another seed tries other candidates."""
    target, source = noise(3, 40, 50, 3), noise(3, 44, 37, 3, seed=1)
    field = match(target, source)
    for pair in range(3):
        alone = match(target[pair : pair + 1], source[pair : pair + 1])
        np.testing.assert_array_equal(alone.nnf[0], field.nnf[pair])
        np.testing.assert_array_equal(alone.error[0], field.error[pair])
    assert (match(target, source, seed=1).nnf != field.nnf).mean() > 0.2


def test_the_field_does_not_depend_on_the_number_of_threads(match):
    """One thread, two or five: the same bits."""
    target, source = noise(2, 60, 81, 5), noise(2, 66, 70, 5, seed=1)
    mask = (noise(2, 60, 81) < 0.5).astype(np.uint8)
    one, two, five = (match(target, source, target_mask=mask, threads=threads) for threads in (1, 2, 5))
    for other in (two, five):
        np.testing.assert_array_equal(other.nnf, one.nnf)
        np.testing.assert_array_equal(other.error, one.error)


def test_numpy_and_warp_arrays_give_the_same_bits(bands):
    """Guides may be on the device already, colours as vec3."""
    target, source = noise(1, 30, 40, 3), noise(1, 30, 40, 3, seed=1)
    initial, mask = positions(30, 40)[None] + 0.25, (noise(1, 30, 40) < 0.5).astype(np.uint8)
    matcher = PatchMatcher(bands, MatchOptions(patch_size=5))
    plain = matcher.match(
        target, source, weights=[1, 1, 1], initial=initial, target_mask=mask, source_mask=mask
    )  # fmt: skip
    marks = wp.array(mask, dtype=wp.uint8, device="cpu")
    device = matcher.match(
        wp.array(target, dtype=wp.vec3, device="cpu"),
        wp.array(source, dtype=float, device="cpu"),
        weights=[1, 1, 1],
        initial=wp.array(initial, dtype=wp.vec2, device="cpu"),
        target_mask=marks,
        source_mask=marks,
    )
    np.testing.assert_array_equal(device.nnf.numpy(), plain.nnf.numpy())
    np.testing.assert_array_equal(device.error.numpy(), plain.error.numpy())


def test_inputs_are_left_alone(match):
    """What is handed in is only read."""
    target, source = noise(1, 30, 40, 3), noise(1, 30, 40, 3, seed=1)
    initial = positions(30, 40)[None] + 0.25
    copies = target.copy(), source.copy(), initial.copy()
    match(target, source, initial=initial)
    for array, copy in zip((target, source, initial), copies, strict=True):
        np.testing.assert_array_equal(array, copy)
