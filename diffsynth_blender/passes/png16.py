"""PNG files with 16 bits a channel, which Pillow reads at 8 bits: the few parts of the format that this needs.

Follows the PNG specification (ISO/IEC 15948): chunks (5.3), filters (9), zlib stream (10).
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import warp as wp

from .. import bands  # noqa: F401 - it silences Warp's greeting

wp.set_module_options({"enable_backward": False})

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
"""Channels by colour type: grey, RGB, grey with alpha, RGB with alpha."""
FILTER_UP = 2
"""Each row as its difference to the one above: good for pictures, and done for a whole frame at once."""


@wp.func
def paeth(left: int, up: int, corner: int) -> int:
    """Whichever of the three is nearest to left + up - corner; the first of equals."""
    to_left = wp.abs(up - corner)
    to_up = wp.abs(left - corner)
    to_corner = wp.abs(left + up - 2 * corner)
    if to_left <= to_up and to_left <= to_corner:
        return left
    if to_up <= to_corner:
        return up
    return corner


@wp.kernel
def undo_filters(
    # In:
    filtered: wp.array2d[wp.uint8],
    pixel_size: int,
    # Out:
    rows_out: wp.array2d[wp.uint8],
) -> None:
    """Undo the filter of every row, whose first byte names it. One thread: each byte needs the one before it."""
    for y in range(rows_out.shape[0]):
        kind = int(filtered[y, 0])
        for x in range(rows_out.shape[1]):
            left = wp.int32(0)
            up = wp.int32(0)
            corner = wp.int32(0)
            if x >= pixel_size:
                left = int(rows_out[y, x - pixel_size])
            if y > 0:
                up = int(rows_out[y - 1, x])
            if x >= pixel_size and y > 0:
                corner = int(rows_out[y - 1, x - pixel_size])
            predicted = wp.int32(0)
            if kind == 1:
                predicted = left
            elif kind == 2:
                predicted = up
            elif kind == 3:
                predicted = (left + up) // 2
            elif kind == 4:
                predicted = paeth(left, up, corner)
            rows_out[y, x] = wp.uint8((int(filtered[y, x + 1]) + predicted) & 255)


def read_png16(path: Path) -> np.ndarray:
    """Return the pixels, uint16, shape (H, W, C) with 1 to 4 channels.

    Raises:
        ValueError: it is not a whole PNG file of 16 bits, or an interlaced one; the message says which.
    """
    content = path.read_bytes()
    if content[:8] != SIGNATURE:
        raise ValueError("not a PNG file")
    chunks = _chunks(content)
    header = struct.unpack(">IIBBBBB", chunks["IHDR"])
    width, height, depth, colour, _, _, interlace = header
    if depth != 16 or colour not in CHANNELS or interlace:
        raise ValueError("interlaced PNG files of 16 bits are not read; save it without interlacing")
    channels = CHANNELS[colour]
    stride = width * channels * 2
    raw = zlib.decompressobj().decompress(chunks["IDAT"], height * (stride + 1))
    if len(raw) != height * (stride + 1):
        raise ValueError("its picture is not complete")
    filtered = np.frombuffer(raw, np.uint8).reshape(height, stride + 1)
    rows = wp.empty((height, stride), dtype=wp.uint8, device="cpu")
    source = wp.array(filtered, dtype=wp.uint8, device="cpu")
    wp.launch(undo_filters, dim=1, inputs=[source, 2 * channels], outputs=[rows], device="cpu")
    return rows.numpy().view(">u2").astype(np.uint16).reshape(height, width, channels)


def encode_png16(pixels: np.ndarray) -> bytes:
    """Return a PNG file of uint16 RGB pixels, shape (H, W, 3)."""
    height, width, _ = pixels.shape
    rows = np.ascontiguousarray(pixels.astype(">u2")).view(np.uint8).reshape(height, width * 6)
    filtered = np.empty((height, width * 6 + 1), np.uint8)
    filtered[:, 0] = FILTER_UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(filtered.tobytes(), 4)), (b"IEND", b""))
    return SIGNATURE + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _chunks(content: bytes) -> dict[str, bytes]:
    """Chunks by name, those of one name joined. Raises ValueError for a file that ends early or is damaged."""
    found: dict[str, list[bytes]] = {}
    place = 8
    while "IEND" not in found:
        if place + 12 > len(content):
            raise ValueError("it ends early")
        length, kind = struct.unpack(">I4s", content[place : place + 8])
        data = content[place + 8 : place + 8 + length]
        checksum = content[place + 8 + length : place + 12 + length]
        if len(checksum) < 4:
            raise ValueError("it ends early")
        if zlib.crc32(kind + data) != int.from_bytes(checksum, "big"):
            raise ValueError("it is damaged")
        found.setdefault(kind.decode("latin-1"), []).append(data)
        place += 12 + length
    return {kind: b"".join(parts) for kind, parts in found.items()}
