"""The painted looks are functions of the passes: they move with them, ink what they should and leave the sky alone."""

from dataclasses import replace

import numpy as np
import pytest

from diffsynth_blender.demo.paint import PAINTED
from diffsynth_blender.demo.paint.passes import Passes, encode_srgb
from diffsynth_blender.demo.paint.pencil import PERIOD
from diffsynth_blender.passes.lines import blur

SIZE = 96


def ball_passes(centre: float = 48.0, radius: float = 22.0) -> Passes:
    """A red ball before a blue sky over a green ground, the sun on the left above."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    offset_x, offset_y = (x - centre) / radius, (48.0 - y) / radius
    height = 1 - offset_x**2 - offset_y**2
    is_ball, is_ground = height > 0, (height <= 0) & (y > 64)
    objects = np.where(is_ball, 2, np.where(is_ground, 1, 0))
    normal = np.zeros((SIZE, SIZE, 3), np.float32)
    normal[is_ball] = np.stack([offset_x, offset_y, np.sqrt(np.maximum(height, 0))], axis=-1)[is_ball]
    normal[is_ground] = (0, 1, 0)
    sun = np.array([-0.6, 0.6, 0.53], np.float32)
    sun /= np.linalg.norm(sun)
    light = np.clip(normal @ sun, 0, 1) + 0.15
    diffuse = np.choose(objects[..., None], [np.zeros(3), np.array([0.05, 0.3, 0.05]), np.array([0.7, 0.05, 0.05])])
    realistic = np.where(objects[..., None] == 0, (0.5, 0.7, 0.95), encode_srgb(diffuse * light[..., None]))
    inverse_depth = np.where(is_ball, 0.25, np.where(is_ground, 0.1 + 0.002 * (y - 64), 0))
    pictures = (realistic, diffuse, light, inverse_depth, normal)
    return Passes(*(picture.astype(np.float32) for picture in pictures), objects=objects, to_light=sun)


def painted(look: str, centre: float = 48.0) -> np.ndarray:
    """The ball in a look, (SIZE, SIZE, 3)."""
    return PAINTED[look](ball_passes(centre))


@pytest.mark.parametrize("look", PAINTED)
def test_paint_moves_with_the_surface(look: str) -> None:
    """The same ball a block of pixels farther: the same paint a block farther."""
    first, later = painted(look, 40.0), painted(look, 40.0 + PERIOD)
    np.testing.assert_allclose(first[30:64, 20:60], later[30:64, 20 + PERIOD : 60 + PERIOD], atol=0.03)
    assert np.abs(first[30:64, 20:60] - later[30:64, 20:60]).max() > 0.1


@pytest.mark.parametrize("look", PAINTED)
def test_the_same_passes_give_the_same_picture(look: str) -> None:
    """No look draws anything at random, and every picture is one that can be shown."""
    first = painted(look)
    np.testing.assert_array_equal(first, painted(look))
    assert first.shape == (SIZE, SIZE, 3) and first.min() >= 0 and first.max() <= 1 and first.std() > 0.04


@pytest.mark.parametrize("look", ["toon", "watercolour", "miniature"])
def test_the_open_sky_has_no_ink(look: str) -> None:
    """Far from things the sky is even, light and blue."""
    sky = painted(look)[:10, :10]
    assert sky.min() > 0.4
    assert sky.mean(axis=(0, 1)).argmax() == 2
    assert np.ptp(sky, axis=(0, 1)).max() < 0.02


def test_a_pencil_has_no_colour_and_hatches_what_is_dark() -> None:
    """The drawing is grey; the shaded side of the ball varies along a row as hatching does, the lit side hardly."""
    image = painted("pencil")
    assert np.ptp(image, axis=2).max() < 0.06
    dark, lit = image[60, 54:64, 0], image[40, 38:43, 0]
    assert np.ptp(dark) > 0.25 and np.ptp(lit) < 0.05


def test_neon_glows_in_the_colour_of_the_thing() -> None:
    """Around a red ball there is a red line on darkness."""
    image = painted("neon")
    rim = image[48, 20:30]
    red = rim[rim.sum(axis=1).argmax(), 0]
    assert red > 0.9 and np.median(image) < 0.35
    glow = image[48, 18]
    assert glow[0] > 1.3 * glow[1]


def test_a_miniature_is_sharp_where_the_things_are() -> None:
    """The edge of the ball stays, what is far behind it is blurred: a line on the ground at the horizon."""
    image, passes = painted("miniature"), ball_passes()
    sharp = np.abs(np.diff(image[48, 20:32].mean(axis=-1))).max()
    assert sharp > 0.5 * np.abs(np.diff(passes.realistic[48, 20:32].mean(axis=-1))).max()
    far = np.abs(np.diff(image[60:68, 4].mean(axis=-1))).max()
    assert far < 0.7 * np.abs(np.diff(passes.realistic[60:68, 4].mean(axis=-1))).max()


def test_toon_draws_dark_lines_around_and_few_tones_inside() -> None:
    image = PAINTED["toon"](ball_passes())
    rim = image[48, 24:29].min(axis=0)
    assert rim.max() < 0.35
    tones = np.unique(np.round(image[48, 32:66, 0], 1))
    assert 2 <= len(tones) <= 7


def test_oil_parts_greys_into_warm_lights_and_cool_shadows_and_gathers_texture_into_daubs() -> None:
    """From black to white without a colour: dark greys turn blue, light ones orange; specks become flat patches."""
    ramp = np.tile(np.linspace(0, 1, SIZE, dtype=np.float32)[None, :, None], (SIZE, 1, 3))
    image = PAINTED["oil"](replace(ball_passes(), realistic=ramp))
    warmth = (image[..., 0] - image[..., 2]).mean(axis=0)
    assert warmth[20] < -0.05 and warmth[80] > 0.05
    specks = np.random.default_rng(0).uniform(0.3, 0.7, (SIZE, SIZE, 1)).astype(np.float32).repeat(3, axis=2)
    image = PAINTED["oil"](replace(ball_passes(), realistic=specks))[8:40, 60:90]
    steps = np.abs(np.diff(image.mean(axis=-1), axis=1))
    assert np.median(steps) < 0.3 * np.quantile(steps, 0.95)


def test_watercolour_is_lighter_and_softer_than_the_render() -> None:
    passes = ball_passes()
    image = PAINTED["watercolour"](passes)
    assert image.mean() > passes.realistic.mean() + 0.08
    assert image.min() > 0.1


def test_blur_keeps_a_constant_and_the_mean() -> None:
    constant = np.full((20, 30, 3), 0.3, np.float32)
    np.testing.assert_allclose(blur(constant, 2.0), constant, atol=1e-6)
    spot = np.zeros((41, 41), np.float32)
    spot[20, 20] = 1
    blurred = blur(spot, 2.0)
    assert blurred.sum() == pytest.approx(1, abs=1e-5)
    assert blurred[20, 20] == pytest.approx(1 / (2 * np.pi * 2.0**2), rel=0.05)
