"""Laws of reading exact passes: what was written is read bit for bit, and nothing inexact passes."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import OpenEXR
import pytest

from diffsynth_blender.passes.errors import PassError
from diffsynth_blender.passes.exr import read_passes
from tests.reference.exr_files import CHANNELS, planes, write_exr, write_exr_parts
from tests.reference.scene import demo_scene

WIDTH, HEIGHT = 48, 32


@pytest.fixture(scope="module")
def passes():
    return demo_scene(WIDTH, HEIGHT).passes(3)


@pytest.fixture
def file(tmp_path: Path, passes):
    path = tmp_path / "0003.exr"
    write_exr(path, planes(passes), OpenEXR.ZIP_COMPRESSION)
    return path


def read(path: Path):
    return read_passes(path, CHANNELS, width=WIDTH, height=HEIGHT)


def refuse(path: Path, *words: str) -> str:
    """Assert that reading fails with one line that names the file, a remedy and `words`."""
    with pytest.raises(PassError) as caught:
        read(path)
    message = str(caught.value)
    assert "\n" not in message
    for word in (str(path), "frame again", *words):
        assert word in message
    return message


@pytest.mark.parametrize(
    "compression",
    [OpenEXR.NO_COMPRESSION, OpenEXR.ZIP_COMPRESSION, OpenEXR.ZIPS_COMPRESSION, OpenEXR.PIZ_COMPRESSION],
)
def test_passes_are_read_bit_for_bit(tmp_path, passes, compression):
    """Every lossless codec gives back every pass, and object ids keep their bits."""
    path = tmp_path / "0003.exr"
    write_exr(path, planes(passes), compression)
    found = read(path)
    for field in fields(passes):
        written, value = getattr(passes, field.name), getattr(found, field.name)
        assert value.dtype == written.dtype
        np.testing.assert_array_equal(value, written)


def test_a_file_with_one_part_for_each_pass_reads_the_same(tmp_path, passes):
    """Blender 5's multi-part files hold the same passes."""
    path = tmp_path / "0003.exr"
    write_exr_parts(path, planes(passes))
    np.testing.assert_array_equal(read(path).vector, passes.vector)
    np.testing.assert_array_equal(read(path).object_id, passes.object_id)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.02, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(file, share):
    """Wherever a file ends too early, the error is one line."""
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    refuse(file, "truncated")


@pytest.mark.parametrize("parts", [False, True])
def test_the_library_says_nothing_about_a_truncated_file(tmp_path, passes, capfd, parts):
    """One line means one: nothing on standard output or error besides, for files with one part and with many."""
    path = tmp_path / "0003.exr"
    if parts:
        write_exr_parts(path, planes(passes))
    else:
        write_exr(path, planes(passes), OpenEXR.PIZ_COMPRESSION)
    content = path.read_bytes()
    for length in (0, 3, 7, 200, 1200, 3000, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        refuse(path, "truncated")
    assert capfd.readouterr() == ("", "")


def test_a_damaged_file_of_the_right_length_is_refused(file):
    """Bytes that do not decode are not passes either."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    file.write_bytes(content)
    refuse(file, "damaged")


def test_a_file_without_its_last_byte_is_refused(file):
    """One byte short is still short."""
    file.write_bytes(file.read_bytes()[:-1])
    refuse(file, "truncated")


def test_a_file_that_is_no_exr_is_refused(file):
    """Any other content is named as such."""
    file.write_bytes(b"a text that somebody renamed")
    refuse(file, "not an EXR")


def test_a_missing_file_is_refused(file):
    """So is no file at all."""
    file.unlink()
    refuse(file, "no such file")


def test_a_missing_pass_is_named_with_what_is_there(tmp_path, passes):
    """The message lists the channels that the file has."""
    path = tmp_path / "0003.exr"
    write_exr(path, {k: v for k, v in planes(passes).items() if "Vector" not in k}, OpenEXR.ZIP_COMPRESSION)
    refuse(path, "vector", "exact.Vector.X", "exact.Depth.Z")


def test_a_frame_of_another_size_is_refused_with_both_sizes(file):
    """The message names the file's size and the shot's."""
    with pytest.raises(PassError, match=r"48x32 px, the shot is 64x32 px"):
        read_passes(file, CHANNELS, width=64, height=HEIGHT)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    ("name", "channel"),
    [("depth", "Depth.Z"), ("normal", "Normal.Y"), ("vector", "Vector.W"), ("position", "Position.X")],
)
def test_values_that_are_no_numbers_are_refused(tmp_path, passes, name, channel, value):
    """The message counts them and gives the first one's place."""
    found = planes(passes)
    plane = found[f"exact.{channel}"].copy()
    plane[7, 5] = plane[9, 1] = value
    path = tmp_path / "0003.exr"
    write_exr(path, found | {f"exact.{channel}": plane}, OpenEXR.ZIP_COMPRESSION)
    refuse(path, name, "2 pixel", "x=5, y=7")


def test_object_ids_of_half_precision_are_refused(tmp_path, passes):
    """Half floats destroy the bit pattern that an id is."""
    found = planes(passes)
    found["exact.CryptoObject00.r"] = np.ones((HEIGHT, WIDTH), np.float16)
    path = tmp_path / "0003.exr"
    write_exr(path, found, OpenEXR.ZIP_COMPRESSION)
    with pytest.raises(PassError, match="32-bit"):
        read(path)


def test_an_object_id_that_looks_like_nan_is_only_bits(tmp_path, passes):
    """A hash may be any bit pattern; ids are never checked as numbers."""
    found = planes(passes)
    ids = np.full((HEIGHT, WIDTH), -1, np.int32)
    found["exact.CryptoObject00.r"] = ids.view(np.float32)
    path = tmp_path / "0003.exr"
    write_exr(path, found, OpenEXR.ZIP_COMPRESSION)
    np.testing.assert_array_equal(read(path).object_id, ids)
