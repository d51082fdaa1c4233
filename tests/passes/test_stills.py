"""Frames of 8 and 16 bits come in and go out without loss, whatever filters a PNG file was written with."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from diffsynth_blender.passes.errors import PassError
from diffsynth_blender.passes.png16 import SIGNATURE, encode_png16, read_png16
from diffsynth_blender.passes.stills import encode_still, inspect, read_still


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def filtered(rows: np.ndarray, pixel_size: int) -> bytes:
    """Rows (H, stride) with the five filters in turn, as the specification writes them down, byte by byte."""
    out = bytearray()
    for y, row in enumerate(rows.tolist()):
        kind = y % 5
        out.append(kind)
        above = rows[y - 1].tolist() if y else [0] * len(row)
        for x, value in enumerate(row):
            left = row[x - pixel_size] if x >= pixel_size else 0
            corner = above[x - pixel_size] if x >= pixel_size else 0
            up = above[x]
            nearest = min((left, up, corner), key=lambda near: abs(left + up - corner - near))
            out.append((value - (0, left, up, (left + up) // 2, nearest)[kind]) % 256)
    return bytes(out)


@pytest.mark.parametrize(("colour", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_every_filter_and_colour_type(tmp_path, colour, channels):
    """Read what the specification's own words write."""
    pixels = np.random.default_rng(1).integers(0, 65536, (11, 7, channels), np.uint16)
    rows = pixels.astype(">u2").view(np.uint8).reshape(11, -1)
    data = zlib.compress(filtered(rows, 2 * channels))
    header = struct.pack(">IIBBBBB", 7, 11, 16, colour, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"tEXt", b"a"), chunk(b"IDAT", data[:30]), chunk(b"IDAT", data[30:])]
    path = tmp_path / "1.png"
    path.write_bytes(SIGNATURE + b"".join(parts) + chunk(b"IEND", b""))
    np.testing.assert_array_equal(read_png16(path), pixels)
    frame = read_still(path, width=7, height=11)
    unit = pixels.astype(np.float32) / np.float32(65535)
    colours = unit[..., :1] if channels < 3 else unit[..., :3]
    alpha = unit[..., -1:] if channels in (2, 4) else 1
    np.testing.assert_array_equal(frame, np.broadcast_to(colours * alpha, (11, 7, 3)))


@pytest.mark.parametrize("depth", [8, 16])
def test_round_trip(tmp_path, depth):
    """What is written is read again, rounded once to the nearest step; other programs read it too."""
    frame = np.random.default_rng(2).random((9, 13, 3)).astype(np.float32)
    path = tmp_path / "1.png"
    path.write_bytes(encode_still(frame, depth))
    assert inspect(path).depth == depth and (inspect(path).width, inspect(path).height) == (13, 9)
    read = read_still(path, width=13, height=9)
    assert np.abs(read - frame).max() <= 0.5001 / (2**depth - 1)
    path.write_bytes(encode_still(read, depth))
    np.testing.assert_array_equal(read_still(path, width=13, height=9), read)
    with Image.open(path) as image:
        assert np.abs(np.asarray(image) / 255 - frame).max() < 0.005


@pytest.mark.parametrize(
    ("suffix", "mode"),
    [(suffix, mode) for suffix in ("png", "jpg", "tif", "webp", "bmp") for mode in ("RGB", "L")]
    + [(suffix, mode) for suffix in ("png", "tif", "webp") for mode in ("RGBA", "P")],
)
def test_files_that_people_have(tmp_path, suffix, mode):
    """Read every kind as RGB in [0, 1]."""
    path = tmp_path / f"1.{suffix}"
    image = Image.new("RGB", (10, 8), (51, 51, 51)).convert(mode)
    image.save(path, **({"lossless": True} if suffix == "webp" else {}))
    frame = read_still(path, width=10, height=8)
    assert frame.shape == (8, 10, 3) and frame.dtype == np.float32
    np.testing.assert_allclose(frame, 51 / 255, atol=1.1 / 255)


def test_transparency_is_laid_over_black(tmp_path):
    """Half-transparent white is grey."""
    Image.new("RGBA", (4, 4), (255, 255, 255, 51)).save(tmp_path / "1.png")
    np.testing.assert_allclose(read_still(tmp_path / "1.png", width=4, height=4), 0.2)


def test_damage_is_named(tmp_path):
    """A file that is cut off, changed, no picture, of another size or missing: its name and what to do."""
    whole = encode_png16(np.full((8, 8, 3), 500, np.uint16))
    path = tmp_path / "1.png"
    for content in (whole[:-20], whole[:60] + b"\0" + whole[61:], b"GIF", whole.replace(b"IEND", b"IENC")):
        path.write_bytes(content)
        with pytest.raises(PassError, match=r"1\.png: .*make the file again"):
            read_still(path, width=8, height=8)
    path.write_bytes(whole)
    with pytest.raises(PassError, match="8x8 px, the others are 9x8 px"):
        read_still(path, width=9, height=8)
    for look in (inspect, lambda missing: read_still(missing, width=8, height=8)):
        with pytest.raises(PassError, match=r"2\.png: no such file"):
            look(tmp_path / "2.png")


def test_what_is_not_finite_is_not_written():
    """A result that holds NaN is a bug, and says so."""
    for depth in (8, 16):
        with pytest.raises(ValueError, match="NaN"):
            encode_still(np.full((2, 2, 3), np.nan, np.float32), depth)
