"""The head of an EXR file: its size and its channels. Reads no pixels, and needs nothing but the standard library.

Layout: https://openexr.com/en/latest/OpenEXRFileLayout.html
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from ..capture.checks import CaptureError

MAGIC = b"\x76\x2f\x31\x01"
MULTI_PART = 0x1000
"""Bit of the version field."""
FIRST_BYTES = 64 << 10
"""What is read at first; the head of most files is shorter, a list of a thousand cryptomatte names takes 40 kB."""
HEAD_BYTES = 16 << 20
"""What no head is longer than."""
PIXEL_TYPES = ("uint", "half", "float")


@dataclass(frozen=True)
class ExrHead:
    """What the head of an EXR file says."""

    width: int
    """Of the picture [px]."""
    height: int
    is_cropped: bool
    """Whether only a region of the picture was rendered."""
    channels: dict[str, str]
    """What each channel is stored as, one of `PIXEL_TYPES`, by full name: "ViewLayer.Depth.Z". A part's name stands
    before the name of a channel that has none of its own."""


def read_head(path: Path) -> ExrHead:
    """Raises CaptureError where it is no EXR file that can be read."""
    size = FIRST_BYTES
    while True:
        try:
            with path.open("rb") as file:
                data = file.read(size)
        except OSError as error:
            raise CaptureError(f"{path} cannot be read ({error.strerror}): choose another file.") from error
        try:
            return _head(_Reader(data))
        except (ValueError, IndexError, KeyError, struct.error) as error:
            if len(data) < size or size >= HEAD_BYTES or data[:4] != MAGIC:
                raise CaptureError(
                    f"{path} is truncated or no EXR file: render it again, or choose another."
                ) from error
        size *= 4


def _head(reader: _Reader) -> ExrHead:
    if reader.data[:4] != MAGIC:
        raise ValueError("not an EXR file")
    reader.at = 4
    (version,) = reader.take("<i")
    parts = [reader.header()]
    while version & MULTI_PART and (part := reader.header()):
        parts.append(part)
    left, top, right, bottom = struct.unpack("<4i", parts[0]["displayWindow"])
    channels: dict[str, str] = {}
    for part in parts:
        name = part.get("name", b"").decode()
        for channel, kind in _channels(part["channels"]).items():
            channels.setdefault(channel if "." in channel or not name else f"{name}.{channel}", kind)
    is_cropped = any(part["dataWindow"] != parts[0]["displayWindow"] for part in parts)
    return ExrHead(right - left + 1, bottom - top + 1, is_cropped, channels)


def _channels(data: bytes) -> dict[str, str]:
    reader, found = _Reader(data), {}
    while name := reader.text():
        kind, _, _, _ = reader.take("<4i")  # pixel type, flags, and how sparse the samples are
        found[name] = PIXEL_TYPES[kind]
    return found


@dataclass
class _Reader:
    """A position in the first bytes of the file."""

    data: bytes
    at: int = 0

    def take(self, form: str) -> tuple[int, ...]:
        values = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return values

    def text(self) -> str:
        end = self.data.index(b"\0", self.at)
        value, self.at = self.data[self.at : end].decode(), end + 1
        return value

    def header(self) -> dict[str, bytes]:
        """The attributes of one part; none at the end of a multi-part list."""
        attributes = {}
        while name := self.text():
            self.text()  # the type
            (size,) = self.take("<i")
            if size < 0 or self.at + size > len(self.data):
                raise ValueError("the header ends early")
            attributes[name] = self.data[self.at : self.at + size]
            self.at += size
        return attributes
