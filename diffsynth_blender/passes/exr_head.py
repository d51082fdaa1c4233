"""Notice an EXR file that cannot be right, from its head, before anything of it is decoded.

The OpenEXR library makes room for whatever size a head declares, and tells of a file that ends too early on the
process's standard output and error before anybody can say it in one sentence.
Layout: https://openexr.com/en/latest/OpenEXRFileLayout.html
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

MAGIC = b"\x76\x2f\x31\x01"
MULTI_PART, DEEP, TILED = 0x1000, 0x800, 0x200
"""Bits of the version field."""

LINES_PER_CHUNK = {0: 1, 1: 1, 2: 1, 3: 16, 4: 32, 5: 16, 6: 32, 7: 32, 8: 32, 9: 256}
"""By the number of the codec: none, RLE, ZIPS, ZIP, PIZ, PXR24, B44, B44A, DWAA, DWAB."""

CUT = "truncated or not an EXR file"

HEAD_BYTES = 8 << 20
"""More than headers and chunk tables of any frame take: 8 bytes a line and part, and some thousand for names."""


@dataclass
class _Reader:
    """A position in the first bytes of the file."""

    data: bytes
    at: int = 0

    def take(self, form: str) -> int:
        (value,) = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return int(value)

    def text(self) -> bytes:
        end = self.data.index(b"\0", self.at)
        value, self.at = self.data[self.at : end], end + 1
        return value

    def header(self) -> dict[bytes, bytes]:
        """Return the attributes of one part's header; none at the end of a multi-part list."""
        attributes = {}
        while name := self.text():
            self.text()  # the type
            size = self.take("<i")
            if size < 0 or self.at + size > len(self.data):
                raise ValueError
            attributes[name] = self.data[self.at : self.at + size]
            self.at += size
        return attributes


def head_fault(path: Path, *, width: int, height: int) -> str:
    """What is wrong with the head of the file at `path`, as "truncated or not an EXR file"; "" where nothing is.

    Whether all is there is judged for scan-line images only, which is all that Blender writes.

    Args:
        path: an ordinary file.
        width: of the shot [px]; no part may be wider.
        height: of the shot [px]; no part may be higher.

    Raises OSError where it cannot be read.
    """
    length = path.stat().st_size
    with path.open("rb") as file:
        reader = _Reader(file.read(HEAD_BYTES))
        try:
            if reader.data[:4] != MAGIC:
                return CUT
            reader.at = 4
            version = reader.take("<i")
            parts = [reader.header()]
            while version & MULTI_PART and (part := reader.header()):
                parts.append(part)
            fault = next(filter(None, (_window_fault(part, width, height) for part in parts)), "")
            if fault or version & DEEP:
                return fault or "deep pixels, of which nobody knows what is seen"
            counts = [_chunk_count(part) for part in parts]
            if version & TILED or None in counts:
                return ""
            offsets = [reader.take("<Q") for count in counts for _ in range(count or 0)]
            if not all(0 < offset < length for offset in offsets):
                return CUT  # a chunk that was never written
            last = max(offsets)
            file.seek(last)
            # A chunk begins with its part (multi-part files only), its first line and its size.
            leader = file.read(12 if version & MULTI_PART else 8)
            (size,) = struct.unpack_from("<i", leader, len(leader) - 4)
            return CUT if size < 0 or last + len(leader) + size > length else ""
        except (ValueError, struct.error, IndexError):
            return CUT


def _window_fault(header: dict[bytes, bytes], width: int, height: int) -> str:
    """What is wrong with where a part's pixels lie. Raises ValueError or struct.error for a damaged header."""
    if b"dataWindow" not in header or b"displayWindow" not in header:
        raise ValueError
    left, top, right, bottom = struct.unpack("<4i", header[b"dataWindow"])
    columns, rows = right - left + 1, bottom - top + 1
    if columns < 1 or rows < 1:
        return f"no pixels ({columns}x{rows} px)"
    if columns > width or rows > height:
        return f"{columns}x{rows} px, where the shot is {width}x{height} px"
    shown_left, shown_top, _, _ = struct.unpack("<4i", header[b"displayWindow"])
    if (columns, rows) == (width, height) and (left, top) != (shown_left, shown_top):
        return f"its pixels begin at x={left - shown_left}, y={top - shown_top} of the picture, not at its corner"
    return ""


def _chunk_count(header: dict[bytes, bytes]) -> int | None:
    """Return the number of chunks of a part; None if it is not made of scan lines or uses an unknown codec."""
    if header.get(b"type", b"scanlineimage").rstrip(b"\0") != b"scanlineimage":
        return None
    if not header.get(b"compression"):
        raise ValueError
    lines = LINES_PER_CHUNK.get(header[b"compression"][0])
    if lines is None:
        return None
    _, top, _, bottom = struct.unpack("<4i", header[b"dataWindow"])
    return -(-(bottom - top + 1) // lines)
