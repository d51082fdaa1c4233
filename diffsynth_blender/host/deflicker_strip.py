"""Steady frames -> an image strip above the strip they were made from, in the same place of the picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import bpy

from ..protocol import BadJobError
from .strip import new_image_strip, shows_folder, strips_of, update_image_strip

_SHAPE = {
    "transform": ("offset_x", "offset_y", "scale_x", "scale_y", "rotation", "origin", "filter"),
    "crop": ("min_x", "max_x", "min_y", "max_y"),
}


@dataclass(frozen=True)
class SourcePlace:
    """Where a strip is shown, kept while the worker runs: the strip itself may be gone by then."""

    name: str
    channel: int
    blend: dict[str, object] = field(default_factory=dict)
    """How it lies over what is below it."""
    shape: dict[str, dict[str, object]] = field(default_factory=dict)
    """Position, scale, rotation and crop, where its frames were taken as they are; else they are in the frames."""

    @classmethod
    def of(cls, strip: bpy.types.Strip, *, keeps_shape: bool) -> SourcePlace:
        """Where a strip is shown now."""
        shape = {
            part: {key: _value(getattr(strip, part), key) for key in keys if hasattr(getattr(strip, part), key)}
            for part, keys in _SHAPE.items()
            if keeps_shape
        }
        blend = {"blend_type": strip.blend_type, "blend_alpha": strip.blend_alpha}
        return cls(strip.name, strip.channel, blend, shape)


def insert_result(scene: bpy.types.Scene, paths: dict[int, Path], place: SourcePlace) -> bpy.types.ImageStrip:
    """Show steady frames above the strip they were made from; returns their strip.

    The same folder again renews its strip, whatever the artist has made of it meanwhile.

    Args:
        scene: Whose sequencer.
        paths: The image of each scene frame, rising; one is held until the next.
        place: Where the strip was shown.

    Raises BadJobError when a frame is missing.
    """
    frames = list(paths)
    if missing := [frame for frame in frames if not paths[frame].is_file()]:
        raise BadJobError(f"{paths[missing[0]]}: is missing; deflicker the strip again to make it")
    held = [paths[before] for before, after in pairwise((*frames, frames[-1] + 1)) for _ in range(before, after)]
    strips = strips_of(scene)
    known = next((strip for strip in strips if shows_folder(strip, held[0].parent)), None)
    if known is not None:
        update_image_strip(known, held, frames[0])
        return known
    channel = _free_channel(scene, place.channel, frames[0], frames[-1] + 1)
    strip = new_image_strip(scene, f"{place.name} Steady", held, frames[0], channel)
    for key, value in place.blend.items():
        setattr(strip, key, value)
    for part, values in place.shape.items():
        for key, value in values.items():
            setattr(getattr(strip, part), key, value)
    return strip


def _free_channel(scene: bpy.types.Scene, below: int, start: int, end: int) -> int:
    """The lowest channel above `below` that shows nothing from `start` to `end`."""
    taken = {
        strip.channel for strip in strips_of(scene) if strip.frame_final_start < end and strip.frame_final_end > start
    }
    return next(channel for channel in range(below + 1, below + len(taken) + 2) if channel not in taken)


def _value(owner: bpy.types.bpy_struct, key: str) -> object:
    value = getattr(owner, key)
    return tuple(value) if hasattr(value, "__len__") and not isinstance(value, str) else value
