"""Laws of frames on disk: exact to the bit at 8 bits, whole or not there."""

import numpy as np
import pytest
from PIL import Image

from diffsynth_blender.passes.errors import PassError
from diffsynth_blender.passes.images import read_png, write_png


def ramp() -> np.ndarray:
    """Return all 256 values in one picture, float32 (16, 16, 3)."""
    values = np.arange(256, dtype=np.float32).reshape(16, 16) / np.float32(255)
    return np.stack([values, values[::-1], values.T], axis=-1)


def test_every_8_bit_value_survives(tmp_path):
    """Written and read again, each of the 256 steps is itself."""
    path = tmp_path / "0001.png"
    write_png(path, ramp())
    np.testing.assert_array_equal(read_png(path, width=16, height=16), ramp())


def test_values_are_rounded_to_the_nearest_step_and_clipped(tmp_path):
    """Half a step more or less decides; what is out of range becomes the end of the range."""
    path = tmp_path / "0001.png"
    write_png(path, np.float32([[[0.49 / 255, 0.51 / 255, 1.7], [-0.3, 254.49 / 255, 254.51 / 255]]]))
    assert np.asarray(Image.open(path)).tolist() == [[[0, 1, 255], [0, 254, 255]]]


def test_values_that_are_no_numbers_are_never_written(tmp_path):
    """A NaN is an error, and the frame that was there stays."""
    path = tmp_path / "0001.png"
    write_png(path, ramp())
    with pytest.raises(ValueError, match="NaN"):
        write_png(path, np.full((16, 16, 3), np.nan, np.float32))
    np.testing.assert_array_equal(read_png(path, width=16, height=16), ramp())


def test_nothing_but_the_frame_is_left_behind(tmp_path):
    """No temporary file stays."""
    write_png(tmp_path / "0001.png", ramp())
    assert [path.name for path in tmp_path.iterdir()] == ["0001.png"]


def test_transparent_pixels_are_over_black(tmp_path):
    """Half-transparent white is middle grey."""
    path = tmp_path / "0001.png"
    Image.fromarray(np.full((4, 4, 4), (255, 255, 255, 51), np.uint8)).save(path)
    np.testing.assert_allclose(read_png(path, width=4, height=4), 0.2, atol=1e-6)


def test_greys_of_16_bits_keep_them(tmp_path):
    """A grey picture becomes three equal channels."""
    path = tmp_path / "0001.png"
    Image.fromarray(np.full((4, 4), 12345, np.uint16)).save(path)
    np.testing.assert_allclose(read_png(path, width=4, height=4), 12345 / 65535, atol=1e-7)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.95])
def test_a_truncated_frame_is_refused(tmp_path, share):
    """One line that names file and remedy."""
    path = tmp_path / "0001.png"
    write_png(path, np.random.default_rng(0).random((16, 16, 3), np.float32))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(PassError, match="truncated or not a PNG") as caught:
        read_png(path, width=16, height=16)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_frame_of_another_size_is_refused_with_both_sizes(tmp_path):
    """The message names the file's size and the shot's."""
    path = tmp_path / "0001.png"
    write_png(path, ramp())
    with pytest.raises(PassError, match="16x16 px, the shot is 32x16 px"):
        read_png(path, width=32, height=16)


def test_a_missing_frame_is_refused(tmp_path):
    """A missing file is a PassError like the others."""
    with pytest.raises(PassError, match="no such file"):
        read_png(tmp_path / "0001.png", width=4, height=4)
