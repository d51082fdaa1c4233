"""Pictures that are made to do harm, or are none: refused from their head."""

import os
import resource
import struct
import zlib

import pytest

from diffsynth_blender.passes.errors import PassError
from diffsynth_blender.passes.images import read_png
from diffsynth_blender.passes.stills import read_still
from tests.faults.fuzz_reader import HEIGHT, WIDTH
from tests.faults.wrong import is_refusal, tried


@pytest.mark.parametrize("read", [read_png, read_still])
def test_pictures_made_to_fill_memory(tmp_path, tally, read):
    """A small file that declares, or unpacks to, gigapixels is refused from its head; text without end is not read."""
    path = tmp_path / "0001.png"

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    def png(width: int, height: int, *chunks: bytes, depth: int = 8) -> bytes:
        header = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks) + chunk(b"IEND", b"")

    zeros = zlib.compress(bytes(200_000_000), 9)
    bombs = [
        png(2**31 - 1, 2**31 - 1),
        png(13_000, 13_000, chunk(b"IDAT", zeros)),
        png(WIDTH, HEIGHT, chunk(b"IDAT", zeros), depth=16),
        png(WIDTH, HEIGHT, chunk(b"zTXt", b"Comment\0\0" + zeros), chunk(b"IDAT", b"")),
        png(WIDTH, HEIGHT, chunk(b"iCCP", b"profile\0\0" + zeros), chunk(b"IDAT", b"")),
        png(WIDTH, HEIGHT, *[chunk(b"tEXt", b"k\0" + b"v" * 10)] * 50_000),
        png(0, 0),
    ]
    for content in bombs:
        path.write_bytes(content)
        before = peak()
        with tried(tally, "picture made to fill memory"):
            try:
                assert read(path, width=WIDTH, height=HEIGHT).shape == (HEIGHT, WIDTH, 3)
            except PassError as error:
                assert is_refusal(str(error), str(path))
            assert peak() - before < 300 << 20


def peak() -> int:
    """Most memory that this process has had [bytes]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.parametrize("read", [read_png, read_still])
@pytest.mark.parametrize(
    "content",
    [
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 48\n(mark) (w) file closefile\n", b"GIF89a" + bytes(100),
        b"<svg xmlns='http://www.w3.org/2000/svg' width='64'/>", b"8BPS" + bytes(100), b"SIMPLE  =" + bytes(99),
        b"\x76\x2f\x31\x01" + bytes(100), b"#!/bin/sh\ntouch mark\n", b"P6\n64 48\n255\n" + bytes(64 * 48 * 3), b"",
    ],
)  # fmt: skip
def test_no_other_format(tmp_path, tally, read, content):
    """Formats that frames do not come in are not even tried, some of which start a program."""
    path = tmp_path / "0001.png"
    path.write_bytes(content)
    with tried(tally, "picture of another format"), pytest.raises(PassError) as caught:
        read(path, width=WIDTH, height=HEIGHT)
    assert is_refusal(str(caught.value), str(path)) and [entry.name for entry in tmp_path.iterdir()] == ["0001.png"]


def test_a_pipe_is_no_picture(tmp_path, tally):
    """Nobody waits for it."""
    os.mkfifo(tmp_path / "0001.png")
    with tried(tally, "pipe in place of a frame"):
        for read in (read_png, read_still):
            with pytest.raises(PassError, match="no such file"):
                read(tmp_path / "0001.png", width=WIDTH, height=HEIGHT)
