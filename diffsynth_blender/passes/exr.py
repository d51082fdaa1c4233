"""Read the exact passes of one frame from an EXR file, and refuse what cannot be exact.

Single-part and multi-part files are read alike. Must not know where the file lies in a job, nor
how Blender names its channels: the names come in as a mapping.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import OpenEXR

from ..refusals import pass_refusal_on
from .errors import PassError
from .exr_head import head_fault

PLANES = {"depth": 1, "normal": 3, "vector": 4, "position": 3, "object": 1}
"""Number of channels each pass needs, in the order of the fields of `ExactPasses`."""


@dataclass(frozen=True)
class ExactPasses:
    """What the renderer knows about every pixel of one frame, unfiltered: one sample a pixel."""

    depth: np.ndarray
    """Planar distance along the viewing axis [scene units], float32, shape (H, W)."""
    normal: np.ndarray
    """World-space surface normal, premultiplied by coverage, float32, shape (H, W, 3)."""
    vector: np.ndarray
    """Motion [px, y UP], float32, shape (H, W, 4): XY = p(t-1) - p(t), ZW = p(t) - p(t+1)."""
    position: np.ndarray
    """World-space position [scene units], float32, shape (H, W, 3)."""
    object_id: np.ndarray
    """Bit pattern of the object's cryptomatte hash, 0 where there is none, int32, shape (H, W)."""


def read_passes(path: Path, channels: Mapping[str, Sequence[str]], *, width: int, height: int) -> ExactPasses:
    """Return the exact passes in the EXR file `path`.

    Args:
        path: an EXR file, single part or multi-part, any codec.
        channels: names of the file's channels for each of `PLANES`, in order (X, Y, Z, W).
        width: expected width [px].
        height: expected height [px].

    Raises:
        PassError: the file is missing, unreadable or of another size; a pass is missing; a
            value that must be a number is NaN or infinite.
    """
    planes = _read_planes(path, width, height)
    passes = {}
    for name, count in PLANES.items():
        wanted = tuple(channels.get(name, ()))
        if len(wanted) != count:
            raise PassError(
                f"{path}: the {name} pass needs {count} channel names, got {list(wanted)}: capture the shot again"
            )
        missing = [channel for channel in wanted if channel not in planes]
        if missing:
            raise PassError(
                f"{path}: {name} pass is missing (no channel {', '.join(missing)}; the file has "
                f"{', '.join(sorted(planes)) or 'none'}): capture the frame again with exact passes"
            )
        stack = [planes[channel] for channel in wanted]
        for plane in stack:
            if plane.shape != (height, width):
                raise PassError(
                    f"{path}: the {name} pass is {plane.shape[1]}x{plane.shape[0]} px, the shot is "
                    f"{width}x{height} px: capture the frame again at the size of the shot"
                )
        if name == "object":
            passes[name] = _bit_pattern(path, stack[0])
        else:
            values = np.stack([plane.astype(np.float32) for plane in stack], axis=-1)
            _require_finite(path, name, values)
            passes[name] = values
    return ExactPasses(
        depth=passes["depth"][..., 0],
        normal=passes["normal"],
        vector=passes["vector"],
        position=passes["position"],
        object_id=passes["object"],
    )


def read_samples(path: Path, channels: Mapping[str, Sequence[str]]) -> int | None:
    """Return how many samples a pixel the view layer of the motion pass was rendered with; None where it is not told.

    Cycles tells; EEVEE does not, and takes one whatever is set.
    """
    layer = channels["vector"][0].rpartition(".")[0].rpartition(".")[0]
    with OpenEXR.File(str(path), separate_channels=True, header_only=True) as file:
        told = (part.header.get(f"cycles.{layer}.samples") for part in file.parts)
        return next((int(value) for value in told if str(value).isdecimal()), None)


def _read_planes(path: Path, width: int, height: int) -> dict[str, np.ndarray]:
    """Return every channel of every part as one plane, under its own name and `part.channel`."""
    if not path.is_file():
        raise PassError(f"{path}: no such file: capture the frame again")
    try:
        fault = head_fault(path, width=width, height=height)
    except OSError as error:
        pass_refusal_on(error)
        raise PassError(f"{path}: cannot be read ({error.strerror}): capture the frame again") from error
    if fault:
        raise PassError(f"{path}: {fault}: capture the frame again")
    try:
        # Grouped into colours, a file with lower-case r, g, b next to upper-case ones loses planes.
        parts = OpenEXR.File(str(path), separate_channels=True).parts
    except (RuntimeError, ValueError, TypeError, MemoryError) as error:
        pass_refusal_on(error)
        raise PassError(
            f"{path}: truncated or not an EXR file ({_one_line(error)}): capture the frame again"
        ) from error
    planes: dict[str, np.ndarray] = {}
    for part in parts:
        for name, channel in part.channels.items():
            if channel.pixels is None or channel.pixels.ndim != 2:
                raise PassError(f"{path}: channel {name} has no pixels: capture the frame again")
            # Blender 5 writes one part a pass: the prefix is in the part's name there.
            planes.setdefault(name, channel.pixels)
            planes.setdefault(f"{part.name()}.{name}", channel.pixels)
    if not planes:
        # The library reports a damaged file on standard error and hands back no parts at all.
        raise PassError(f"{path}: truncated or damaged EXR file: capture the frame again")
    return planes


def _bit_pattern(path: Path, plane: np.ndarray) -> np.ndarray:
    """Return the bits of a float32 or uint32 plane as int32, shape (H, W)."""
    if plane.dtype.itemsize != 4:
        raise PassError(
            f"{path}: object ids are stored as {plane.dtype}, which destroys them: save the passes as 32-bit float"
        )
    return np.ascontiguousarray(plane).view(np.int32)


def _require_finite(path: Path, name: str, values: np.ndarray) -> None:
    """Raise `PassError` if any of `values`, shape (H, W, C), is NaN or infinite."""
    bad = ~np.isfinite(values).all(axis=-1)
    count = int(np.count_nonzero(bad))
    if count:
        row, column = np.argwhere(bad)[0]
        raise PassError(
            f"{path}: {count} pixel(s) of the {name} pass are NaN or infinite, the first at "
            f"x={column}, y={row}: capture the frame again, or repair the object rendered there"
        )


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
