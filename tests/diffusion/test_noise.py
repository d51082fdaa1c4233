"""Laws of the noise: white in every frame, and following the surfaces as far as white noise can."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from diffsynth_blender.diffusion.noise import NoiseSource, fixed_noise, independent_noise, mix_noise
from diffsynth_blender.diffusion.noise_hash import hash_cells, hash_of, normal
from diffsynth_blender.diffusion.noise_surface import SurfacePoints, latent_cells

FACTOR = 8
SIZE = 384
SIDE = SIZE // FACTOR
PIXEL = 0.013
"""Scene units."""

PINNED_HASHES = [0, 5197578548964807871, 9589327077155489561]
PINNED_NORMAL = [1.0932778120040894, -0.044708263128995895, 1.6878364086151123]


def plane(shift=(0.0, 0.0), zoom=1.0, height=SIZE, width=SIZE, object=7):
    """A wall seen straight on, by a camera that is moved by `shift` [px at zoom 1] and sees `zoom` times as much."""
    y, x = np.mgrid[:height, :width].astype(float)
    x, y = (x - width / 2) * zoom + shift[0], (y - height / 2) * zoom + shift[1]
    position = np.stack([x, y, np.zeros_like(x)], axis=-1) * PIXEL
    return SurfacePoints(position, np.full((height, width), object), np.full((height, width), PIXEL * zoom))


def noise_of(points, channels=4, seed=0, salt=0, factor=FACTOR):
    return latent_cells(points, factor).noise(channels, seed, salt)


def moran(values):
    """Moran's I of a picture (h, w), neighbours across and down: 0 for white noise."""
    values = values - values.mean()
    pairs = (values[1:] * values[:-1]).sum() + (values[:, 1:] * values[:, :-1]).sum()
    return pairs / (values[1:].size + values[:, 1:].size) / values.var()


def kolmogorov_smirnov(values):
    """Largest distance between the distribution of the values and the normal one, in units of 1 / sqrt(n).

    For normal values it is above 1.63 one time in a hundred.
    """
    values = np.sort(values.ravel())
    normal_at = 0.5 * (1 + torch.erf(torch.from_numpy(values.astype(float)) / 2**0.5)).numpy()
    steps = np.arange(len(values) + 1) / len(values)
    return max((steps[1:] - normal_at).max(), (normal_at - steps[:-1]).max()) * len(values) ** 0.5


def correlation(a, b):
    return np.corrcoef(a.ravel(), b.ravel())[0, 1]


@pytest.mark.parametrize("zoom", [0.3, 0.71, 1.0, 1.2, 1.5, 1.9, 5.0])
def test_it_is_white_at_every_distance(zoom):
    """Mean 0, spread 1 within 2 %, normal, no neighbour like the other, channels, seeds, salts and objects apart."""
    noise = noise_of(plane(zoom=zoom), channels=8)
    assert abs(noise.mean()) < 4 / noise.size**0.5 * 2
    assert abs(noise.std() - 1) < 0.02
    assert kolmogorov_smirnov(noise) < 1.95
    # The spread of Moran's I over 8 channels of 48x48 is 0.0052.
    assert abs(np.mean([moran(channel) for channel in noise])) < 0.02
    apart = np.corrcoef(noise.reshape(8, -1)) - np.eye(8)
    assert np.abs(apart).max() < 0.1
    for other in (
        noise_of(plane(zoom=zoom), 8, seed=1),
        noise_of(plane(zoom=zoom), 8, salt=1),
        noise_of(plane(zoom=zoom, object=8), 8),
    ):
        assert abs(correlation(noise, other)) < 0.03


def test_neighbours_are_apart_over_many_frames():
    """No correlation between a latent pixel and any of those around it is left, measured to 0.003."""
    frames = np.concatenate([noise_of(plane((1e4 * i, 0), zoom=1 + 0.1 * i), channels=16) for i in range(10)])
    for dy, dx in ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0)):
        assert abs(correlation(frames[:, dy:, dx:], frames[:, : SIDE - dy, : SIDE - dx])) < 0.01


@pytest.mark.parametrize(
    ("shift", "least"),
    [((8.0, 0.0), 0.98), ((16.0, 8.0), 0.98), ((1.0, 0.0), 0.84), ((2.5, 1.3), 0.55), ((4.0, 4.0), 0.22)],
)
def test_it_follows_the_surface(shift, least):
    """Noise is the same where the surface has moved by whole latent pixels; else as much of it as these overlap.

    That share is the most that white noise can keep; fixed noise keeps nothing as soon as the shift is a pixel.
    """
    before, after = noise_of(plane(), 16), noise_of(plane(shift), 16)
    dx, dy = (round(value / FACTOR) for value in shift)
    moved = before[:, dy:, dx:]
    assert correlation(moved, after[:, : SIDE - dy, : SIDE - dx]) > least
    if dx or dy:
        fixed = fixed_noise(1, (16, SIDE, SIDE), seed=0)[0].numpy()
        assert abs(correlation(fixed[:, dy:, dx:], fixed[:, : SIDE - dy, : SIDE - dx])) < 0.02


def test_it_does_not_drift():
    """After 30 frames of motion by parts of a pixel, back at the start: the same bits. In between it stays itself."""
    path = [(2.7 * t, -1.9 * t) for t in range(31)]
    first = noise_of(plane())
    for t in (10, 20, 30):
        dx, dy = (round(value / FACTOR) for value in path[t])
        here = noise_of(plane(path[t]))
        there = first[:, : SIDE + dy, dx:] if dy <= 0 else first[:, dy:, dx:]
        assert correlation(there, here[:, -dy:, : SIDE - dx]) > 0.3
        assert abs(here.std() - 1) < 0.02
    np.testing.assert_array_equal(noise_of(plane((0.0, 0.0))), first)


def test_a_zoom_changes_it_gradually():
    """A slow zoom keeps most of the noise in the middle, also where cells change their size by the next factor of 2."""
    zooms = np.exp2(np.linspace(0.0, 1.0, 60))
    middle = slice(4, 16)
    frames = [noise_of(plane(zoom=zoom, height=160, width=160), 16)[:, middle, middle] for zoom in zooms]
    kept = [correlation(a, b) for a, b in pairwise(frames)]
    assert min(kept) > 0.7


def test_planes_of_an_object_are_not_split_by_rounding():
    """Walls along an object's axes, at round coordinates, give the same noise whatever the last digits are."""
    for depth in (0.0, 1.0, -0.5, 0.25):
        flat = plane()
        flat.position[..., 2] = depth
        shaken = plane()
        shaken.position[..., 2] = depth + np.random.default_rng(0).uniform(-1e-6, 1e-6, (SIZE, SIZE))
        assert correlation(noise_of(flat), noise_of(shaken)) > 0.99


def test_surfaces_that_are_seen_at_an_angle_stay_white():
    """A wall so slanted that one picture pixel spans many cells, one where a cell spans latent pixels."""
    for stretch, whiteness in ((20.0, 0.03), (0.05, 0.03)):
        points = plane()
        points.position[..., 0] *= stretch
        noise = noise_of(points, 8)
        assert abs(noise.std() - 1) < 0.02
        assert abs(np.mean([moran(channel) for channel in noise])) < whiteness


def test_sizes_that_do_not_divide_are_covered():
    """Latent pixels at the right and bottom edge have what picture there is; also with few pixels in each."""
    noise = noise_of(plane(height=61, width=37), factor=8)
    assert noise.shape == (4, 8, 5)
    assert np.isfinite(noise).all() and (noise != 0).all()
    few = noise_of(plane(height=96, width=96), 64, factor=2)
    assert few.shape == (64, 48, 48) and abs(few.std() - 1) < 0.02
    assert abs(np.mean([moran(channel) for channel in few])) < 0.02


def test_the_numbers_are_the_same_on_every_machine():
    """Pinned: a seed means the same picture everywhere and for ever."""
    assert hash_of(1, 2) != hash_of(2, 1)
    cells = np.array([[0, 0, 0], [1, 0, 0], [-1, 2**40, 3]])
    labels = np.zeros(3, np.int64), np.array([0, 0, -5])
    assert hash_cells(cells, *labels).tolist() == PINNED_HASHES
    np.testing.assert_allclose(normal(hash_cells(cells, *labels), hash_of(3)), PINNED_NORMAL, rtol=1e-6)


def test_the_quantiles_are_normal():
    """All that a hash can pick has mean 0 and variance 1, and the fourth moment of a normal distribution."""
    picked = normal(np.arange(2**18, dtype=np.uint64), np.uint64(0))
    assert abs(picked.mean()) < 0.01 and abs(picked.std() - 1) < 0.005
    assert abs((picked.astype(float) ** 4).mean() - 3) < 0.1


def test_fixed_noise_is_one_noise_and_independent_noise_is_not():
    """Fixed noise repeats one Gaussian latent; independent noise depends on the frame's number alone."""
    noise = fixed_noise(5, (4, 8, 8), seed=3)
    assert torch.equal(noise, noise[:1].expand_as(noise))
    assert not torch.equal(noise, fixed_noise(5, (4, 8, 8), seed=4))
    independent = independent_noise((10, 11, 12), (4, 8, 8), seed=3)
    assert not torch.equal(independent[0], independent[1])
    assert torch.equal(independent[1:2], independent_noise((11,), (4, 8, 8), seed=3))


def source(kind="surface", frames=(4, 5, 6), **options):
    if kind == "surface":
        options |= {"points": lambda: (plane((3.0 * frame, 0)) for frame in frames), "factor": FACTOR}
    return NoiseSource(kind, frames, (4, SIDE, SIDE), options.pop("seed", 5), **options)


def test_the_sources_noise_is_that_of_its_kind():
    """Fixed noise is one for all, independent noise none alike, and both start as they always did."""
    assert torch.equal(source("fixed").initial(), fixed_noise(3, (4, SIDE, SIDE), seed=5))
    assert torch.equal(source("independent").initial(), independent_noise((4, 5, 6), (4, SIDE, SIDE), seed=5))
    expected = np.stack([noise_of(plane((3.0 * frame, 0)), seed=5) for frame in (4, 5, 6)])
    np.testing.assert_array_equal(source().initial().numpy(), expected)


@pytest.mark.parametrize("kind", ["fixed", "surface", "independent"])
def test_every_step_has_noise_of_its_own(kind):
    """Later steps' noise is white, unlike that of all other steps, the same again when asked again or in a part."""
    one = source(kind)
    steps = [one.initial(), one.fresh(0), one.fresh(1)]
    for i, noise in enumerate(steps):
        assert abs(noise.std() - 1) < 0.02
        assert all(abs(correlation(noise.numpy(), other.numpy())) < 0.03 for other in steps[:i])
    assert torch.equal(one.fresh(1), steps[2])
    assert torch.equal(source(kind, frames=(5, 6)).fresh(1), steps[2][1:])


@pytest.mark.parametrize("kind", ["fixed", "surface"])
def test_the_fresh_share_is_drawn_for_each_frame(kind):
    """It takes its share of the variance from what frames have in common, and 1 leaves independent noise."""
    shares = {share: source(kind, frames=(0, 8), fresh_share=share).initial() for share in (0.0, 0.3, 1.0)}
    # Between the two frames the wall moves by three latent pixels.
    shift = 3 if kind == "surface" else 0
    for share, noise in shares.items():
        assert abs(noise.std() - 1) < 0.02
        alike = correlation(noise[0, :, :, shift:].numpy(), noise[1, :, :, : SIDE - shift].numpy())
        assert abs(alike - (1 - share)) < 0.03
    assert torch.equal(shares[1.0], source("independent", frames=(0, 8)).initial())
    assert torch.equal(mix_noise(shares[0.0], shares[1.0], 0.3), shares[0.3])


def test_what_cannot_be_is_refused():
    """Surface noise without surfaces, surfaces of another size, shares outside of 0 to 1."""
    with pytest.raises(ValueError, match="needs the surface points"):
        NoiseSource("surface", (1,), (4, 8, 8), 0)
    with pytest.raises(ValueError, match="latent pixels"):
        NoiseSource("surface", (1,), (4, 8, 8), 0, points=lambda: iter([plane()])).initial()
    for options in ({"fresh_share": 1.5}, {"kind": "pink"}):
        with pytest.raises(ValueError, match="is one of"):
            NoiseSource(**{"kind": "fixed", "frames": (1,), "shape": (4, 8, 8), "seed": 0} | options)
