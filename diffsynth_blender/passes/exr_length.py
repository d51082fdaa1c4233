"""Notice an EXR file that ends too early, without decoding it.

The OpenEXR library finds out as well, but tells it to the process's standard output and error before anybody can say
it in one sentence. Layout: https://openexr.com/en/latest/OpenEXRFileLayout.html
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


def ends_early(path: Path) -> bool:
    """Whether the file at `path` is too short for what its header promises, or no EXR file at all.

    Only scan-line images are judged, which is all that Blender writes; for others the answer is False.
    """
    length = path.stat().st_size
    with path.open("rb") as file:
        reader = _Reader(file.read(HEAD_BYTES))
        try:
            if reader.data[:4] != MAGIC:
                return True
            reader.at = 4
            version = reader.take("<i")
            if version & (DEEP | TILED):
                return False
            parts = [reader.header()]
            while version & MULTI_PART and (part := reader.header()):
                parts.append(part)
            counts = [_chunk_count(part) for part in parts]
            if None in counts:
                return False
            offsets = [reader.take("<Q") for count in counts for _ in range(count or 0)]
            last = max(offsets, default=0)
            if not all(offsets):
                return True  # a chunk that was never written
            file.seek(last)
            # A chunk begins with its part (multi-part files only), its first line and its size.
            leader = file.read(12 if version & MULTI_PART else 8)
            (size,) = struct.unpack_from("<i", leader, len(leader) - 4)
            return size < 0 or last + len(leader) + size > length
        except (ValueError, struct.error):
            return True


def _chunk_count(header: dict[bytes, bytes]) -> int | None:
    """Return the number of chunks of a part; None if it is not made of scan lines or uses an unknown codec."""
    if header.get(b"type", b"scanlineimage").rstrip(b"\0") != b"scanlineimage":
        return None
    if b"dataWindow" not in header or b"compression" not in header:
        raise ValueError
    lines = LINES_PER_CHUNK.get(header[b"compression"][0])
    if lines is None:
        return None
    _, top, _, bottom = struct.unpack("<4i", header[b"dataWindow"])
    return -(-(bottom - top + 1) // lines)
