"""Laws of the metrics."""

import numpy as np
import pytest

from diffsynth_blender.blending.metrics import remap, sharpness, warp_error
from tests.reference.clips import clip_of, pictures_of
from tests.reference.scene import demo_scene


@pytest.fixture(scope="module")
def shot():
    scene = demo_scene(96, 64)
    return clip_of(scene, range(1, 6)), pictures_of(scene, range(1, 6))


def test_colours_that_stick_to_surfaces_have_almost_no_warp_error(shot):
    """What remains is reading between pixels, mostly across silhouettes; ten levels of 8 bits would be 1.5e-3."""
    clip, pictures = shot
    assert warp_error(pictures, clip.field) < 4e-4


def test_a_step_in_brightness_is_its_square(shot):
    """Every second frame brighter by 0.1 is an error of 0.01."""
    clip, pictures = shot
    steps = pictures.copy()
    steps[1::2] += 0.1
    assert warp_error(steps, clip.field) == pytest.approx(0.01, rel=0.05)


def test_a_static_constant_clip_has_no_warp_error():
    """Exactly none."""
    clip = clip_of(demo_scene(48, 32, speed=0.0), range(1, 4))
    frame = np.random.default_rng(0).random((32, 48, 3), np.float32)
    assert warp_error([frame] * 3, clip.field) == 0.0


def test_hidden_pixels_do_not_count(shot):
    """Colours that only lie where nothing corresponds change nothing."""
    clip, pictures = shot
    fields = {(i, i + 1): clip.field(i, i + 1) for i in range(4)}
    hidden = pictures.copy()
    hidden[0][fields[0, 1][..., 2] == 0] = 9.0
    assert warp_error(hidden, lambda i, j: fields[i, j]) == warp_error(pictures, lambda i, j: fields[i, j])


def test_frames_are_read_once_as_a_stream(shot):
    """Metrics of a long clip need two frames in memory."""
    clip, pictures = shot
    assert warp_error(iter(pictures), clip.field) == warp_error(pictures, clip.field)
    assert sharpness(iter(pictures)) == sharpness(pictures)


def test_a_single_frame_has_no_warp_error_and_no_frame_no_sharpness(shot):
    """There is nothing to compare."""
    clip, pictures = shot
    assert warp_error(pictures[:1], clip.field) is None
    assert sharpness([]) is None


def test_sharpness_of_a_ramp_is_its_slope():
    """Luma gradient per pixel."""
    ramp = np.repeat(np.repeat(np.arange(32)[None, :, None] * 0.01, 8, axis=0), 3, axis=2)
    assert sharpness([ramp.astype(np.float32)]) == pytest.approx(0.01, rel=1e-4)


def test_blurring_lowers_sharpness():
    """Which is why it is reported beside the warp error."""
    detail = np.random.default_rng(0).random((1, 32, 48, 3), np.float32)
    blurred = (detail + np.roll(detail, 1, axis=2) + np.roll(detail, -1, axis=2)) / 3.0
    assert sharpness(blurred) < 0.8 * sharpness(detail)


def test_remap_by_whole_pixels_is_exact():
    """A shift by three columns is those columns."""
    frame = np.random.default_rng(0).random((8, 12, 3), np.float32)
    y, x = np.mgrid[:8, :12].astype(np.float32)
    field = np.stack([np.minimum(x + 3, 11), y, x < 9], axis=-1)
    moved = remap(frame, field)
    np.testing.assert_array_equal(moved[:, :9], frame[:, 3:])
    assert (moved[:, 9:] == 0.0).all()
