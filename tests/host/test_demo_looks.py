"""The painted looks are functions of the passes: they move with them, ink what they should and leave the sky alone."""

import numpy as np
import pytest

from diffsynth_blender.demo import looks

SIZE = 96


def ball_passes(centre: float = 48.0, radius: float = 22.0) -> looks.Passes:
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
    realistic = np.where(objects[..., None] == 0, (0.5, 0.7, 0.95), looks.encode_srgb(diffuse * light[..., None]))
    inverse_depth = np.where(is_ball, 0.25, np.where(is_ground, 0.1 + 0.002 * (y - 64), 0))
    pictures = (realistic, diffuse, light, inverse_depth, normal)
    return looks.Passes(*(picture.astype(np.float32) for picture in pictures), objects=objects, sun=sun)


@pytest.mark.parametrize("look", [looks.toon, looks.watercolour])
def test_paint_moves_with_the_surface(look) -> None:
    """The same ball 7 pixels farther: the same paint 7 pixels farther."""
    first, later = look(ball_passes(40.0)), look(ball_passes(47.0))
    np.testing.assert_allclose(first[28:66, 16:62], later[28:66, 23:69], atol=1e-4)


@pytest.mark.parametrize("look", [looks.toon, looks.watercolour])
def test_the_open_sky_has_no_ink(look) -> None:
    sky = look(ball_passes())[:10, :10]
    assert sky.min() > 0.4
    assert sky.mean(axis=(0, 1)).argmax() == 2
    assert np.ptp(sky, axis=(0, 1)).max() < 0.02


def test_toon_draws_dark_lines_around_and_few_tones_inside() -> None:
    image = looks.toon(ball_passes())
    rim = image[48, 24:29].min(axis=0)
    assert rim.max() < 0.35
    tones = np.unique(np.round(image[48, 32:66, 0], 1))
    assert 2 <= len(tones) <= 7


def test_watercolour_is_lighter_and_softer_than_the_render() -> None:
    passes = ball_passes()
    image = looks.watercolour(passes)
    assert image.mean() > passes.realistic.mean() + 0.08
    assert image.min() > 0.1


def test_blur_keeps_a_constant_and_the_mean() -> None:
    constant = np.full((20, 30, 3), 0.3, np.float32)
    np.testing.assert_allclose(looks.blur(constant, 2.0), constant, atol=1e-6)
    spot = np.zeros((41, 41), np.float32)
    spot[20, 20] = 1
    blurred = looks.blur(spot, 2.0)
    assert blurred.sum() == pytest.approx(1, abs=1e-5)
    assert blurred[20, 20] == pytest.approx(1 / (2 * np.pi * 2.0**2), rel=0.05)
