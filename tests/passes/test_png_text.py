"""What a frame was made with lies beside its pixels, which stay as they are."""

import numpy as np
import pytest
from PIL import Image

from diffsynth_blender.passes.images import read_png, write_png
from diffsynth_blender.passes.png_text import with_text
from diffsynth_blender.passes.stills import encode_still, read_still

TEXT = {"Software": "DiffSynth", "diffsynth_seed": "7", "diffsynth_model": "modèle 模型"}


@pytest.fixture
def frame() -> np.ndarray:
    return np.random.default_rng(0).random((16, 24, 3), np.float32)


def test_text_can_be_read_and_pixels_stay(tmp_path, frame):
    """Any letters come back; with and without text the pixels are the same."""
    write_png(tmp_path / "plain.png", frame)
    write_png(tmp_path / "text.png", frame, TEXT)
    with Image.open(tmp_path / "text.png") as image:
        assert image.text == TEXT
    plain, text = (read_png(tmp_path / f"{name}.png", width=24, height=16) for name in ("plain", "text"))
    assert np.array_equal(plain, text)


@pytest.mark.parametrize("depth", [8, 16])
def test_text_in_stills(tmp_path, frame, depth):
    """So it is at 16 bits a channel, which is read by hand."""
    plain = encode_still(frame, depth)
    (tmp_path / "plain.png").write_bytes(plain)
    (tmp_path / "text.png").write_bytes(with_text(plain, TEXT))
    read = [read_still(tmp_path / f"{name}.png", width=24, height=16) for name in ("plain", "text")]
    assert np.array_equal(*read)


def test_no_text_is_the_same_file(frame):
    """Byte for byte."""
    assert with_text(encode_still(frame, 8), {}) == encode_still(frame, 8)


def test_keywords_are_short(frame):
    """As the file format has it."""
    with pytest.raises(ValueError, match="1 to 79 letters"):
        with_text(encode_still(frame, 8), {"": "empty"})
