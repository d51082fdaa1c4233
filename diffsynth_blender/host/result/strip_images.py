"""Image strips of numbered frames: made, renewed in place, recognised by their folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import bpy

from .sequencer import strips_of
from .strip_content import Content


def new_image_strip(
    scene: bpy.types.Scene, name: str, paths: Sequence[Path], frame_start: int, channel: int
) -> bpy.types.ImageStrip:
    """A strip of images of one folder, one a frame, unscaled."""
    return add_image_strip(strips_of(scene), name, Content(tuple(paths), frame_start), channel)


def add_image_strip(
    strips: bpy.types.StripsTopLevel | bpy.types.StripsMeta, name: str, content: Content, channel: int
) -> bpy.types.ImageStrip:
    """A strip of these pictures among `strips`, unscaled."""
    start = round(content.frame_start)
    strip = strips.new_image(name, str(content.paths[0]), channel, start, fit_method="ORIGINAL")
    strip.colorspace_settings.name = "sRGB"
    set_content(strip, content)
    return strip


def set_content(strip: bpy.types.ImageStrip, content: Content) -> None:
    """Make an image strip hold these pictures and show those of them that are not behind a handle.

    Where it holds them already they are only read anew: how the artist has moved and trimmed it since, stays.
    """
    held = [element.filename for element in strip.elements]
    names = [path.name for path in content.paths]
    strip.directory = blend_path(content.paths[0].parent)
    if len(names) == 1 or names != held:  # one picture: the strip may just have been made
        _set_elements(strip, names)
        strip.frame_offset_start = strip.frame_offset_end = 0
        strip.frame_start = content.frame_start
        strip.frame_offset_start, strip.frame_offset_end = content.offset_start, content.offset_end
    strip.invalidate_cache("RAW")  # the files may have changed under the same names


def shows_folder(strip: bpy.types.Strip, folder: Path) -> bool:
    """Whether this is an image strip of that folder, however the path to it is written."""
    return strip.type == "IMAGE" and Path(bpy.path.abspath(strip.directory)).resolve() == folder


def blend_path(folder: Path) -> str:
    """The folder relative to the saved .blend, so that file and job folder can be moved together; else absolute."""
    if bpy.data.filepath and Path(bpy.data.filepath).drive == folder.drive:
        return bpy.path.relpath(str(folder)) + "/"
    return str(folder) + "/"


def _set_elements(strip: bpy.types.ImageStrip, names: Sequence[str]) -> None:
    elements = strip.elements
    while len(elements) > len(names):
        elements.pop(len(elements) - 1)
    for element, name in zip(elements, names, strict=False):
        element.filename = name
    for name in names[len(elements) :]:
        elements.append(name)
