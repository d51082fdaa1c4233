"""Laws of key-frame interpolation."""

import numpy as np
import pytest
import warp as wp

from diffsynth_blender.bands import Bands
from diffsynth_blender.blending.fill import fill_holes
from diffsynth_blender.blending.footage import Footage
from diffsynth_blender.blending.keyframes import KeyFrameInterpolator
from tests.reference.clips import clip_of, pictures_of
from tests.reference.scene import demo_scene


@pytest.fixture(scope="module")
def shot():
    """A moving shot of nine frames: clip, guide, and the same shot in other colours."""
    scene, frames = demo_scene(64, 48), range(1, 10)
    guide = pictures_of(scene, frames, samples=2)
    return clip_of(scene, frames), guide, (1.0 - 0.8 * guide[..., ::-1]).astype(np.float32)


def interpolate(clip, guide, painted, keys) -> np.ndarray:
    """Return every frame of the clip; only key frames of `painted` may be looked at."""
    fetched: list[int] = []

    def fetch(index: int) -> np.ndarray:
        assert index in keys
        fetched.append(index)
        return painted[index]

    frames = np.stack(list(KeyFrameInterpolator(clip, guide.__getitem__, keys).stream(fetch)))
    assert fetched == list(keys)
    return frames


@pytest.mark.parametrize("keys", [[0, 4, 8], [3], [2, 3, 7]])
def test_key_frames_come_back_bit_for_bit(shot, keys):
    """Whatever is painted; and each key is read once, in order."""
    clip, guide, _ = shot
    painted = np.random.default_rng(0).random(guide.shape, np.float32)
    np.testing.assert_array_equal(interpolate(clip, guide, painted, keys)[keys], painted[keys])


@pytest.mark.parametrize("keys", [[0, 8], [4]])
def test_frames_between_keys_are_the_painted_shot(shot, keys):
    """What a key shows comes out close to what painting every frame would have given; the rest is filled."""
    clip, guide, painted = shot
    frames = interpolate(clip, guide, painted, keys)
    assert np.isfinite(frames).all()
    held = painted[[min(keys, key=lambda key: abs(key - index)) for index in range(9)]]
    shown = np.stack([np.any([clip.field(i, key)[..., 2] > 0 for key in keys], axis=0) for i in range(9)])
    assert shown.mean() > 0.8
    moved, stuck = (np.abs(picture - painted)[shown].max(axis=-1) for picture in (frames, held))
    assert np.quantile(moved, 0.9) < 0.3 * np.quantile(stuck, 0.9)


def test_what_no_key_shows_is_named(shot):
    """Without patch matching, whatever no key's exact motion leads to is hidden."""
    clip, guide, painted = shot
    keys = [4]
    interpolator = KeyFrameInterpolator(clip, guide.__getitem__, keys, repair=False)
    for index, (frame, hidden) in enumerate(interpolator.stream_hidden(painted.__getitem__)):
        shown = clip.field(index, 4)[..., 2] > 0
        assert np.isfinite(frame).all()
        assert hidden[~shown].all() and hidden[shown].mean() < 0.2
        assert hidden.any() == (index != 4)


def test_a_static_shot_of_one_key_is_that_key(shot):
    """To the bit, with exact motion and without any passes."""
    clip = clip_of(demo_scene(64, 48, speed=0.0), range(1, 4))
    guide = np.repeat(shot[1][:1], 3, axis=0)
    painted = np.repeat(shot[2][:1], 3, axis=0)
    for kind in (clip, Footage(3, width=64, height=48)):
        np.testing.assert_array_equal(interpolate(kind, guide, painted, [1]), painted)


def test_footage_without_passes_follows_its_pictures():
    """A shot that pans by whole pixels: the guide alone says where everything goes."""
    rng = np.random.default_rng(0)
    wall = np.repeat(np.repeat(rng.random((24, 40, 3), np.float32), 4, axis=0), 4, axis=1)
    guide = np.stack([wall[8:72, 3 * index : 3 * index + 96] for index in range(7)])
    painted = 1.0 - guide
    frames = interpolate(Footage(7, width=96, height=64), guide, painted, [0, 6])
    assert np.mean((frames - painted)[:, 4:-4, 20:-20] ** 2) < 1e-3


def test_keys_outside_the_clip_are_refused(shot):
    """The message says which frames there are."""
    clip, guide, _ = shot
    for keys in ([], [9], [-1], [3, 3], [4, 2]):
        with pytest.raises(ValueError, match=r"0 to 8, at least one, got \["):
            KeyFrameInterpolator(clip, guide.__getitem__, keys)


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (33, 2)])
def test_holes_take_the_colours_around_them(shape):
    """What is there stays, what is not lies in its range, and a picture of nothing is black."""
    picture = np.random.default_rng(0).random((*shape, 3), np.float32)
    holes = np.random.default_rng(1).random(shape) < 0.6
    holes[0, 0] = False
    picture[holes] = np.nan
    filled = fill_holes(Bands("cpu"), wp.array(picture, dtype=wp.vec3, device="cpu")).numpy()
    np.testing.assert_array_equal(filled[~holes], picture[~holes])
    assert filled.min() >= picture[~holes].min() - 1e-6 and filled.max() <= picture[~holes].max() + 1e-6
    nothing = fill_holes(Bands("cpu"), wp.full(shape, wp.vec3(wp.nan), dtype=wp.vec3, device="cpu"))
    assert (nothing.numpy() == 0.0).all()
