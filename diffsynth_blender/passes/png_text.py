"""Text beside the pixels of a PNG file: what its frame was made with, for image viewers and scripts.

PNG specification, section 11.3.3: keywords of 1 to 79 Latin letters; iTXt where the text goes beyond them.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

_HEADER_END = 33  # signature, and the header chunk, which comes first in every file


def with_text(content: bytes, text: Mapping[str, str]) -> bytes:
    """Return the PNG file `content` with `text` by keyword; its pixels stay as they are, byte for byte."""
    chunks = b"".join(_chunk(keyword, value) for keyword, value in text.items())
    return content[:_HEADER_END] + chunks + content[_HEADER_END:]


def _chunk(keyword: str, value: str) -> bytes:
    name = keyword.encode("latin-1")
    if not 1 <= len(name) <= 79:
        raise ValueError(f"{keyword!r}: a keyword has 1 to 79 letters")
    try:
        kind, data = b"tEXt", name + b"\0" + value.encode("latin-1")
    except UnicodeEncodeError:
        kind, data = b"iTXt", name + b"\0\0\0\0\0" + value.encode()
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
