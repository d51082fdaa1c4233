"""Laws of the accurate blend: what it undoes, and what it leaves alone."""

import numpy as np
import pytest

from diffsynth_blender.blending.footage import Footage
from diffsynth_blender.blending.smoother import Smoother
from tests.reference.clips import clip_of, pictures_of
from tests.reference.scene import Rectangle, Scene, demo_scene, lens, move, waves


def errors(clip, guide, flickering, truth, **options) -> dict[str, float]:
    """Root mean square error against the truth, by mode."""
    return {
        mode: float(
            np.sqrt(np.mean((Smoother(clip, guide.__getitem__, mode=mode, **options).smooth(flickering) - truth) ** 2))
        )
        for mode in ("balanced", "accurate")
    }


def grain(shape: tuple[int, ...], sigma: float) -> np.ndarray:
    """Noise as diffusion leaves it: correlated over a few pixels."""
    count, height, width, channels = shape
    blocks = np.random.default_rng(0).normal(size=(count, height // 4, width // 4, channels)) * sigma
    return np.repeat(np.repeat(blocks, 4, axis=1), 4, axis=2)


def wall(width: int = 96, height: int = 64, scale: float = 12.0) -> Scene:
    """A textured wall that drifts."""
    return Scene(
        width, height, (Rectangle(5, (9.0, 9.0), lambda frame: move(0.017 * frame, 0, -6), waves(1, scale)),),
        lambda frame: np.eye(4), lens(width, height), np.zeros_like,
    )  # fmt: skip


def test_local_warps_are_undone():
    """Each frame shifted by up to a pixel on its own: registration brings back much of what a mean loses."""
    scene, frames = wall(), range(1, 10)
    truth = pictures_of(scene, frames, samples=2)
    rng = np.random.default_rng(0)
    shifted = [
        pictures_of(Scene(
            96, 64, scene.rectangles, lambda frame, by=by: move(*by), scene.projection, scene.sky
        ), [frame], samples=2)[0]
        for frame, by in zip(frames, np.c_[rng.uniform(-0.06, 0.06, (9, 2)), np.zeros(9)], strict=True)
    ]  # fmt: skip
    error = errors(clip_of(scene, frames), truth, np.stack(shifted), truth, window=8)
    assert error["accurate"] < 0.75 * error["balanced"]


def test_light_is_followed_as_far_as_the_frames_follow_it():
    """A shadow that wanders over guide and frames alike stays sharp; one that only the guide has leaves no trace."""
    scene, frames = wall(scale=2.0), range(1, 10)
    flat = pictures_of(scene, frames, samples=2)
    x = np.arange(96)
    shade = np.stack([np.where(np.abs(x - 9.0 * frame) < 12.0, 0.5, 1.0) for frame in frames])[:, None, :, None]
    guide = (flat * shade).astype(np.float32)
    noise = np.random.default_rng(0).normal(size=(9, 1, 1, 3)) * 0.03
    lit = (flat[..., ::-1] * shade).astype(np.float32)
    error = errors(clip_of(scene, frames), guide, (lit + noise).astype(np.float32), lit, window=4, repair=False)
    assert error["accurate"] < 0.9 * error["balanced"]
    plain = np.ascontiguousarray(flat[..., ::-1])
    error = errors(clip_of(scene, frames), guide, (plain + noise).astype(np.float32), plain, window=4, repair=False)
    assert error["accurate"] < 1.1 * error["balanced"]


def test_casts_are_undone_where_nothing_else_shows_a_surface():
    """A frame's colour cast leaves pixels that no other frame shows as well: it is smooth."""
    scene, frames = demo_scene(96, 64, speed=2.0), range(1, 8)
    truth = pictures_of(scene, frames, samples=2)
    casts = np.random.default_rng(0).normal(size=(7, 1, 1, 3)) * 0.04
    clip = clip_of(scene, frames)
    shown = np.any([clip.field(6, source)[..., 2] > 0 for source in range(3, 6)], axis=0)
    assert (~shown).sum() > 20
    error = {}
    for mode in ("balanced", "accurate"):
        smoother = Smoother(clip, truth.__getitem__, mode=mode, window=3, repair=False)
        smoothed = smoother.smooth((truth + casts).astype(np.float32))
        error[mode] = np.abs((smoothed - truth)[6][~shown].mean(axis=0)).mean()
    assert error["accurate"] < 0.8 * error["balanced"]


def test_a_reflection_is_matched_where_geometry_leads_nowhere():
    """A picture that slides over a still mirror: repaired links find it again."""
    scene = Scene(
        64, 48, (Rectangle(5, (9.0, 9.0), lambda frame: move(0, 0, -6), waves(1)),),
        lambda frame: np.eye(4), lens(64, 48), np.zeros_like,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    reflected = np.repeat(np.repeat(rng.random((12, 30, 3), np.float32), 4, axis=0), 4, axis=1)
    truth = np.stack([reflected[:, 4 * index : 4 * index + 64] for index in range(7)])
    flickering = (truth + rng.normal(size=truth.shape) * 0.05).astype(np.float32)
    clip = clip_of(scene, range(1, 8))
    plain, repaired = (
        errors(clip, truth, flickering, truth, window=3, repair=repair)["balanced"] for repair in (False, True)
    )
    assert repaired < 0.9 * plain


@pytest.mark.parametrize("mode", ["fast", "balanced", "accurate"])
def test_footage_without_passes_becomes_steadier(mode):
    """A pan over a textured wall, with flicker: the guide alone says what belongs together."""
    rng = np.random.default_rng(0)
    picture = np.repeat(np.repeat(rng.random((24, 40, 3), np.float32), 4, axis=0), 4, axis=1)
    truth = np.stack([picture[8:72, 3 * index : 3 * index + 96] for index in range(7)])
    flickering = (truth + rng.normal(size=(7, 1, 1, 3)) * 0.03 + grain(truth.shape, 0.03)).astype(np.float32)
    smoother = Smoother(Footage(7, width=96, height=64), truth.__getitem__, mode=mode, window=3)
    smoothed = smoother.smooth(flickering)
    assert np.mean((smoothed - truth) ** 2) < 0.4 * np.mean((flickering - truth) ** 2)
