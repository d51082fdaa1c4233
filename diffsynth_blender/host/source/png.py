"""The head of a PNG file: its size. Needs nothing but the standard library."""

import struct
from pathlib import Path

from ..capture.checks import CaptureError

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def read_png_size(path: Path) -> tuple[int, int]:
    """Width and height [px]. Raises CaptureError where it is no PNG file."""
    try:
        with path.open("rb") as file:
            head = file.read(24)
    except OSError as error:
        raise CaptureError(f"{path} cannot be read ({error.strerror}): choose a file that is there.") from error
    if head[:8] != SIGNATURE or len(head) < 24:
        raise CaptureError(f"{path} is no PNG file: choose PNG files, as Blender writes them.")
    width, height = struct.unpack(">2I", head[16:24])
    return width, height
