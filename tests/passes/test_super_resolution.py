"""Laws of super-resolution, with the real network and its weights."""

import numpy as np
import pytest
from PIL import Image

from diffsynth_blender.passes import super_resolution
from diffsynth_blender.passes.super_resolution import SuperResolution
from tests.reference.scene import demo_scene


@pytest.fixture(scope="module")
def frame() -> np.ndarray:
    return demo_scene(64, 48).picture(1, samples=2).astype(np.float32)


@pytest.mark.parametrize("factor", [2, 4])
def test_it_is_the_picture_at_that_size(frame, factor):
    """Averaged back to the old size it is the frame, roughly; its mean colour is kept."""
    large = SuperResolution(factor).enlarge(frame)
    assert large.shape == (48 * factor, 64 * factor, 3) and large.dtype == np.float32
    assert large.min() >= 0.0 and large.max() <= 1.0
    small = large.reshape(48, factor, 64, factor, 3).mean((1, 3))
    assert np.abs(small - frame).mean() < 0.05
    np.testing.assert_allclose(large.mean((0, 1)), frame.mean((0, 1)), atol=2e-3)


def test_the_same_frame_gives_the_same_bits(frame):
    """Twice with one network, and with another."""
    one, other = SuperResolution(2), SuperResolution(2)
    first = one.enlarge(frame)
    assert (one.enlarge(frame) == first).all() and (other.enlarge(frame) == first).all()


def test_edges_are_sharper_than_enlarging_makes_them(frame):
    """Steeper than a bilinear enlargement: that is what it is for."""
    small = Image.fromarray((frame * 255).astype(np.uint8))
    bilinear = np.asarray(small.resize((128, 96), Image.Resampling.BILINEAR)) / 255
    gradient = [np.abs(np.diff(picture, axis=1)).max(2) for picture in (SuperResolution(2).enlarge(frame), bilinear)]
    assert np.quantile(gradient[0], 0.99) > 1.1 * np.quantile(gradient[1], 0.99)


def test_tiles_do_not_show(frame, monkeypatch):
    """Memory is bounded by tiles, and the picture is that of the whole frame."""
    whole = SuperResolution(2).enlarge(frame)
    monkeypatch.setattr(super_resolution, "TILE", 20)
    assert np.abs(SuperResolution(2).enlarge(frame) - whole).max() < 1e-5


def test_other_factors_are_refused():
    """There are weights for 2 and 4."""
    with pytest.raises(ValueError, match="by 2 or 4, not by 3"):
        SuperResolution(3)
