"""Frames as PNG files: read to float, written with exact rounding, never half written.

Values are display-referred sRGB, 0 to 1, exactly as an artist sees them: no colour transform here.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from ..refusals import pass_refusal_on
from ..writing import unfinished, writing
from .errors import PassError
from .png_text import with_text

FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP")
"""What a frame may come in, whatever its name says. Pillow knows many more, and starts a program for some (EPS)."""

UNREADABLE = (
    OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, OverflowError, TypeError, struct.error,
    zlib.error, Image.DecompressionBombError,
)  # fmt: skip
"""What Pillow raises for a damaged file, besides MemoryError."""


def open_picture(path: Path) -> Image.Image:
    """Read the head of a picture. Raises FileNotFoundError where no ordinary file is there, or one of `UNREADABLE`."""
    if not path.is_file():  # a pipe would be waited for
        raise FileNotFoundError(path)
    return Image.open(path, formats=FORMATS)


def refuse_mode(image: Image.Image) -> None:
    """Raise ValueError for pixels whose range nobody knows, which Pillow would cut off or read as other colours."""
    if image.mode in ("F", "LAB", "HSV"):
        raise ValueError(f"pictures of mode {image.mode} are not read; save it as an RGB file")


def read_png(path: Path, *, width: int, height: int) -> np.ndarray:
    """Return the frame in `path`, float32 in [0, 1], shape (H, W, 3).

    Transparent pixels are composited over black. Colour of more than 8 bits is read at 8 bits,
    greys of 16 bits at 16.

    Raises:
        PassError: the file is missing, unreadable or of another size.
    """
    try:
        with open_picture(path) as image:
            size = image.size
            pixels = _unit(image) if size == (width, height) else None
    except FileNotFoundError as error:
        raise PassError(f"{path}: no such file: capture or render the frame again") from error
    except UNREADABLE as error:
        pass_refusal_on(error)
        reason = " ".join(str(error).split())
        raise PassError(f"{path}: truncated or not a PNG file ({reason}): capture or render the frame again") from error
    if pixels is None:
        raise PassError(
            f"{path}: the frame is {size[0]}x{size[1]} px, the shot is {width}x{height} px: "
            "capture or render the frame again at the size of the shot"
        )
    if pixels.shape[-1] == 4:
        pixels = pixels[..., :3] * pixels[..., 3:]
    return np.ascontiguousarray(np.broadcast_to(pixels, (height, width, 3)))


def _unit(image: Image.Image) -> np.ndarray:
    """The pixels of a picture in [0, 1], float32, shape (H, W, 1), (H, W, 3) or (H, W, 4)."""
    image.load()
    refuse_mode(image)
    if image.mode.startswith("I"):
        return np.asarray(image, dtype=np.float32)[..., None] / np.float32(65535.0)
    colours = image.convert("RGB" if image.mode in ("RGB", "L") else "RGBA")
    return np.asarray(colours, dtype=np.float32) / np.float32(255.0)


def to_bytes(frame: np.ndarray) -> np.ndarray:
    """Return a frame or frames in [0, 1] as uint8, rounded to the nearest of 256 steps."""
    if not np.isfinite(frame).all():
        raise ValueError(f"a frame of shape {frame.shape} holds NaN or infinite values and cannot be written")
    return np.rint(np.clip(frame, 0.0, 1.0) * 255.0).astype(np.uint8)


def write_png(path: Path, frame: np.ndarray, text: Mapping[str, str] | None = None) -> None:
    """Write `frame`, values in [0, 1], shape (H, W, 3), to `path`, whole or not at all.

    Args:
        path: the file.
        frame: the pixels.
        text: what is kept beside the pixels, by keyword.

    Raises WriteError where the system refuses.
    """
    if frame.ndim != 3 or frame.shape[2] != 3:
        raise ValueError(f"{path}: a frame has shape (H, W, 3), got {frame.shape}")
    content = io.BytesIO()
    Image.fromarray(to_bytes(frame)).save(content, format="PNG", compress_level=4)
    temporary = unfinished(path)
    with writing(path):
        try:
            temporary.write_bytes(with_text(content.getvalue(), text or {}))
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
