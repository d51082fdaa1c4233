"""Frames in the files that people have: what Pillow reads at 8 bits a channel, and PNG at 16 as well.

Values are display-referred sRGB, 0 to 1, as they are stored: no colour transform, no embedded profile.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ..refusals import pass_refusal_on
from .errors import PassError
from .images import UNREADABLE, open_picture, refuse_mode, to_bytes
from .png16 import SIGNATURE, encode_png16, read_png16


@dataclass(frozen=True)
class Still:
    """What the head of an image file says."""

    width: int
    height: int
    depth: int
    """Bits a channel that are read: 8 or 16."""


def inspect(path: Path) -> Still:
    """Read the head of an image file. Raises PassError where it is none."""
    try:
        with open_picture(path) as image:
            grey16 = image.mode.startswith("I;16")
            return Still(image.width, image.height, 16 if grey16 or _is_png16(path) else 8)
    except FileNotFoundError as error:
        raise PassError(f"{path}: no such file: restore it, or choose another folder") from error
    except UNREADABLE as error:
        pass_refusal_on(error)
        raise _unreadable(path, error) from error


def read_still(path: Path, *, width: int, height: int) -> np.ndarray:
    """Return the frame in `path`, float32 in [0, 1], shape (H, W, 3); transparency is laid over black.

    Raises:
        PassError: the file is missing, unreadable or of another size.
    """
    head = inspect(path)
    if (head.width, head.height) != (width, height):
        raise PassError(
            f"{path}: the frame is {head.width}x{head.height} px, the others are {width}x{height} px: "
            "make all frames of one size"
        )
    try:
        pixels = _unit(read_png16(path)) if _is_png16(path) else _read_with_pillow(path)
    except UNREADABLE as error:
        pass_refusal_on(error)
        raise _unreadable(path, error) from error
    channels = pixels.shape[2]
    if channels in (2, 4):
        pixels = pixels[..., :-1] * pixels[..., -1:]
    return np.ascontiguousarray(np.broadcast_to(pixels, (height, width, 3)))


def encode_still(frame: np.ndarray, depth: int) -> bytes:
    """Return a PNG file of a frame in [0, 1], shape (H, W, 3), at 8 or 16 bits, rounded to the nearest step."""
    if depth == 16:
        if not np.isfinite(frame).all():
            raise ValueError(f"a frame of shape {frame.shape} holds NaN or infinite values and cannot be written")
        return encode_png16(np.rint(np.clip(frame, 0.0, 1.0).astype(np.float64) * 65535.0).astype(np.uint16))
    content = io.BytesIO()
    Image.fromarray(to_bytes(frame)).save(content, format="PNG", compress_level=4)
    return content.getvalue()


def _is_png16(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(25)
    return head[:8] == SIGNATURE and len(head) == 25 and head[24] == 16


def _read_with_pillow(path: Path) -> np.ndarray:
    """Return the pixels in [0, 1], shape (H, W, C)."""
    with open_picture(path) as image:
        image.load()
        if image.mode.startswith("I;16"):
            return _unit(np.asarray(image).astype(np.uint16)[..., None])
        refuse_mode(image)
        if image.mode == "I":
            raise ValueError("pictures of 32-bit greys are not read; save it as an RGB file")
        has_alpha = "A" in image.getbands() or "transparency" in image.info
        return _unit(np.asarray(image.convert("RGBA" if has_alpha else "RGB")))


def _unit(pixels: np.ndarray) -> np.ndarray:
    """Whole numbers as float32 in [0, 1]."""
    return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)


def _unreadable(path: Path, error: Exception) -> PassError:
    reason = " ".join(str(error).split())
    return PassError(f"{path}: truncated or not a picture that can be read ({reason}): make the file again")
