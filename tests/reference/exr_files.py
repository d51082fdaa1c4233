"""Exact passes as EXR files the way Blender 4 (one part) and Blender 5 (a part for each pass) write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import OpenEXR

from diffsynth_blender.passes.exr import ExactPasses

CHANNELS = {
    "depth": ["exact.Depth.Z"],
    "normal": [f"exact.Normal.{axis}" for axis in "XYZ"],
    "vector": [f"exact.Vector.{axis}" for axis in "XYZW"],
    "position": [f"exact.Position.{axis}" for axis in "XYZ"],
    "object": ["exact.CryptoObject00.r"],
}


def planes(passes: ExactPasses) -> dict[str, np.ndarray]:
    """Return what Blender writes, by channel: the passes, a whole cryptomatte, and the picture."""
    found = {"exact.Depth.Z": passes.depth}
    for name, axes in (("Normal", "XYZ"), ("Vector", "XYZW"), ("Position", "XYZ")):
        stack = getattr(passes, name.lower())
        found.update({f"exact.{name}.{axis}": stack[..., i] for i, axis in enumerate(axes)})
    found["exact.CryptoObject00.r"] = passes.object_id.view(np.float32)
    for channel in "gba":
        found[f"exact.CryptoObject00.{channel}"] = np.ones_like(passes.depth)
    for channel in "RGBA":
        found[f"View Layer.Combined.{channel}"] = np.full_like(passes.depth, 0.5)
    return {name: np.ascontiguousarray(plane) for name, plane in found.items()}


def write_exr(path: Path, channels: dict[str, np.ndarray], compression: OpenEXR.Compression) -> None:
    """Write all `channels` as one part."""
    header = {"compression": compression, "type": OpenEXR.scanlineimage}
    OpenEXR.File(header, dict(channels)).write(str(path))  # which puts objects of its own in place of the planes


def write_exr_parts(path: Path, channels: dict[str, np.ndarray]) -> None:
    """Write one part for each pass; channels keep their full names."""
    parts: dict[str, dict[str, np.ndarray]] = {}
    for name, plane in channels.items():
        parts.setdefault(name.rpartition(".")[0], {})[name] = plane
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    OpenEXR.File([OpenEXR.Part(dict(header), part, name) for name, part in parts.items()]).write(str(path))


def write_exr_tiles(path: Path, channels: dict[str, np.ndarray]) -> None:
    """Write all `channels` as one part of tiles."""
    tiles = OpenEXR.TileDescription()
    tiles.xSize = tiles.ySize = 16
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.tiledimage, "tiles": tiles}
    OpenEXR.File(header, dict(channels)).write(str(path))
