"""Steady frames -> an image strip above the strip they were made from, in the same place of the picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import bpy

from ...protocol import BadJobError
from ..result.metadata import SOURCE_KEY, describe_folder
from ..result.rna_copy import plain_value
from ..result.sequencer import free_channel, strips_of
from ..result.strip_content import Content
from ..result.strip_images import new_image_strip, set_content, shows_folder

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
            part: {key: plain_value(getattr(strip, part), key) for key in keys if hasattr(getattr(strip, part), key)}
            for part, keys in _SHAPE.items()
            if keeps_shape
        }
        blend = {"blend_type": strip.blend_type, "blend_alpha": strip.blend_alpha}
        return cls(strip.name, strip.channel, blend, shape)


def insert_result(
    scene: bpy.types.Scene, paths: dict[int, Path], place: SourcePlace, *, label: str = "Steady"
) -> bpy.types.ImageStrip:
    """Show frames above the strip they were made from; returns their strip.

    The same folder again renews its strip, whatever the artist has made of it meanwhile.

    Args:
        scene: Whose sequencer.
        paths: The image of each scene frame, rising; one is held until the next.
        place: Where the strip was shown.
        label: What the frames are now, for the name of their strip.

    Raises BadJobError when a frame is missing.
    """
    frames = list(paths)
    if missing := [frame for frame in frames if not paths[frame].is_file()]:
        raise BadJobError(f"{paths[missing[0]]}: is missing; run the job again to make it")
    held = [paths[before] for before, after in pairwise((*frames, frames[-1] + 1)) for _ in range(before, after)]
    strips = strips_of(scene)
    known = next((strip for strip in strips if shows_folder(strip, held[0].parent)), None)
    if known is not None:
        set_content(known, Content(tuple(held), frames[0]))
        _describe(known, place)
        return known
    channel = free_channel(strips, place.channel, frames[0], frames[-1] + 1)
    strip = new_image_strip(scene, f"{place.name} {label}", held, frames[0], channel)
    for key, value in place.blend.items():
        setattr(strip, key, value)
    for part, values in place.shape.items():
        for key, value in values.items():
            setattr(getattr(strip, part), key, value)
    _describe(strip, place)
    return strip


def _describe(strip: bpy.types.ImageStrip, place: SourcePlace) -> None:
    folder = Path(bpy.path.abspath(strip.directory))
    for key, value in {**describe_folder(folder), SOURCE_KEY: place.name}.items():
        strip[key] = value
