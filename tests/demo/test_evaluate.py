"""The measures of the model card, on pictures whose figures are known."""

import numpy as np
import pytest

from diffsynth_blender.demo.eval_classifier import look_of, train_classifier
from diffsynth_blender.demo.eval_measures import (
    box_mean,
    colour_distance,
    edge_agreement,
    edges_found,
    geometry_edges,
    psnr,
    ssim,
)
from diffsynth_blender.demo.train_data import LOOKS, Scene

RNG = np.random.default_rng(0)
NOISE = RNG.random((32, 48, 3)).astype(np.float32)


def square(*, at: int = 8, colour: float = 1.0) -> np.ndarray:
    """A bright square of 12 px on grey, (32, 48, 3)."""
    frame = np.full((32, 48, 3), 0.3, np.float32)
    frame[at : at + 12, at : at + 12] = colour
    return frame


def test_a_picture_is_wholly_like_itself() -> None:
    """Every measure is at its best for two equal pictures."""
    assert psnr(NOISE, NOISE) > 100
    assert ssim(NOISE, NOISE) == pytest.approx(1)
    assert colour_distance(NOISE, NOISE) == 0
    assert edge_agreement(NOISE, NOISE) == pytest.approx(1)


def test_psnr_and_ssim_follow_their_definitions() -> None:
    """An error of a tenth everywhere is 20 dB; other structure of the same brightness is not alike."""
    assert psnr(NOISE * 0.5 + 0.1, NOISE * 0.5) == pytest.approx(20, abs=1e-3)
    assert ssim(NOISE, RNG.random(NOISE.shape).astype(np.float32)) < 0.1


def test_colours_are_compared_wherever_they_are() -> None:
    """Moving a thing changes no histogram; making it darker moves its share of pixels by as much."""
    assert colour_distance(square(at=2), square(at=14)) == 0
    assert colour_distance(square(), square(colour=0.5)) == pytest.approx(255 * 0.5 * 144 / (32 * 48), rel=1e-4)


def test_edges_are_compared_where_they_are() -> None:
    """Edges of the same thing agree whatever its colour, those of a thing elsewhere do not."""
    assert edge_agreement(square(), square(colour=0.0)) > 0.95
    assert edge_agreement(square(at=2), square(at=18)) < 0.1


def test_edges_of_the_geometry_are_found_again() -> None:
    """A picture with the jumps of depth and the creases of normals has them all; one with edges elsewhere has few."""
    depth, normal = np.zeros((32, 48), np.float32), np.full((32, 48, 3), 0.5, np.float32)
    depth[8:20, 8:20] = 1.0
    normal[:, 30:, :2] = 1.0
    wanted = geometry_edges(depth, normal)
    assert wanted[8:20, 7].all() and wanted[:, 30].all() and not wanted[:, 40:].any()
    shown = square()
    shown[:, 30:] = 0.6
    assert edges_found(shown, wanted) > 0.95
    assert edges_found(np.roll(shown, 4, axis=1), wanted) < 0.5


def test_a_mean_over_a_window_continues_the_border() -> None:
    """A constant stays what it is, and a single pixel is spread evenly."""
    np.testing.assert_allclose(box_mean(np.full((5, 6), 2.0), 3), 2.0)
    lit = np.zeros((7, 7))
    lit[3, 3] = 9.0
    np.testing.assert_allclose(box_mean(lit, 3)[2:5, 2:5], 1.0)


def test_the_classifier_tells_looks_apart_that_it_has_not_seen() -> None:
    """Trained on some scenes whose looks differ in colour and grain, it names the looks of another."""

    def scene(seed: int) -> Scene:
        rng = np.random.default_rng(seed)
        looks = {}
        for number, look in enumerate(LOOKS):
            grain = rng.normal(0, 4 + 3 * number, (128, 128, 3))
            looks[look] = np.clip(22 * number + 25 + rng.uniform(0, 5) + grain, 0, 255).astype(np.uint8)
        flat = np.zeros((128, 128))
        return Scene(seed, looks, flat.astype(np.float16), np.zeros((128, 128, 3), np.uint8), "", "day")

    classifier = train_classifier([scene(seed) for seed in range(4)], steps=60)
    other = scene(9)
    assert [look_of(classifier, other.looks[look]) for look in LOOKS] == list(range(len(LOOKS)))
