"""EXR files that are cut off, declare what is not there, or come from elsewhere: read as they are, or refused."""

import os
import random
import struct
import time
from pathlib import Path

import numpy as np
import OpenEXR
import pytest

from diffsynth_blender.passes.errors import PassError
from diffsynth_blender.passes.exr import read_passes
from tests.faults.fuzz_reader import HEIGHT, WIDTH
from tests.faults.wrong import is_refusal, tried
from tests.reference.exr_files import CHANNELS, write_exr, write_exr_parts, write_exr_tiles


def refused(path: Path, *words: str) -> None:
    """Reading passes fails with one line that names the file, the remedy and these words."""
    with pytest.raises(PassError) as caught:
        read_passes(path, CHANNELS, width=WIDTH, height=HEIGHT)
    assert is_refusal(str(caught.value), str(path), "capture the frame again", *words), caught.value


@pytest.mark.parametrize("parts", [False, True])
def test_every_length(good, tmp_path, times, tally, parts):
    """Cut after every byte of the head and at places of the rest: always told as such."""
    path = tmp_path / "0002.exr"
    write_exr_parts(path, good) if parts else write_exr(path, good, OpenEXR.PIZ_COMPRESSION)
    content = path.read_bytes()
    for length in [*range(0, 4000, times(67, 1)), *range(4000, len(content), times(4001, 97)), len(content) - 1]:
        path.write_bytes(content[:length])
        with tried(tally, "truncated EXR file"):
            refused(path, "truncated")


def window(content: bytes, name: bytes, box: tuple[int, int, int, int]) -> bytes:
    """The content of an EXR file that declares another window."""
    at = content.index(name + b"\0box2i\0") + len(name) + 7 + 4
    return content[:at] + struct.pack("<4i", *box) + content[at + 16 :]


@pytest.mark.parametrize(
    "box",
    [
        (0, 0, 2**31 - 1, 2**31 - 1), (-(2**31), -(2**31), 2**31 - 1, 2**31 - 1), (0, 0, 65_535, 65_535), (5, 5, 4, 4),
        (0, 0, -1, -1), (0, 0, WIDTH, HEIGHT - 1), (7, 3, WIDTH + 6, HEIGHT + 2), (0, 0, 0, 2**31 - 2),
    ],
)  # fmt: skip
def test_declared_windows(good, tmp_path, tally, box):
    """Windows that are huge, empty, turned round or displaced are refused from the head, before room is made."""
    path = tmp_path / "0002.exr"
    write_exr(path, good, OpenEXR.ZIP_COMPRESSION)
    with tried(tally, "EXR file that declares another window"):
        started_at = time.monotonic()
        path.write_bytes(window(path.read_bytes(), b"dataWindow", box))
        refused(path)
        assert time.monotonic() - started_at < 5.0


def test_other_makes(good, tmp_path, tally):
    """Half floats, tiles, deep pixels, other sizes and names: what cannot be exact says so, the rest is read."""
    path = tmp_path / "0002.exr"
    halves = {name: plane if "Crypto" in name else plane.astype(np.float16) for name, plane in good.items()}
    halves["exact.Depth.Z"] = good["exact.Depth.Z"]  # the background's is too far away for a half
    write_exr(path, halves, OpenEXR.ZIP_COMPRESSION)
    with tried(tally, "EXR file of another make"):
        read_passes(path, CHANNELS, width=WIDTH, height=HEIGHT)
    small = {name: np.ascontiguousarray(plane[::2, ::2]) for name, plane in good.items()}
    write_exr(path, small, OpenEXR.ZIP_COMPRESSION)
    with tried(tally, "EXR file of another make"):
        refused(path, f"{WIDTH // 2}x{HEIGHT // 2}", f"{WIDTH}x{HEIGHT}")
    write_exr(path, {name.replace("exact.", "other."): plane for name, plane in good.items()}, OpenEXR.ZIP_COMPRESSION)
    with tried(tally, "EXR file of another make"):
        refused(path, "other.Depth.Z")
    write_exr_tiles(path, good)
    with tried(tally, "EXR file of another make"):
        found = read_passes(path, CHANNELS, width=WIDTH, height=HEIGHT)
        np.testing.assert_array_equal(found.depth, good["exact.Depth.Z"])
    content = bytearray(path.read_bytes())
    content[5] |= 0x08  # the bit of deep pixels
    path.write_bytes(content)
    with tried(tally, "EXR file of another make"):
        refused(path, "deep")


def test_parts_in_any_order_read_the_same(good, tmp_path, fault_seed, times, tally):
    """Order of parts and of channels tells nothing; names do."""
    path = tmp_path / "0002.exr"
    expected = read_of(path, good)
    dice = random.Random(fault_seed)
    for _ in range(times(3, 20)):
        order = list(good)
        dice.shuffle(order)
        with tried(tally, "EXR parts in another order"):
            write_exr_parts(path, {name: good[name] for name in order})
            found = read_passes(path, CHANNELS, width=WIDTH, height=HEIGHT)
            for name, array in vars(expected).items():
                np.testing.assert_array_equal(getattr(found, name), array)


def read_of(path: Path, channels: dict[str, np.ndarray]):
    write_exr(path, channels, OpenEXR.ZIP_COMPRESSION)
    return read_passes(path, CHANNELS, width=WIDTH, height=HEIGHT)


def test_a_pipe_is_no_file_of_passes(tmp_path, tally):
    """Nobody waits for it."""
    os.mkfifo(tmp_path / "0001.exr")
    with tried(tally, "pipe in place of a frame"):
        refused(tmp_path / "0001.exr", "no such file")
