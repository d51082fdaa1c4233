"""Where the frames of a shot come from: what the artist chooses of it."""

from pathlib import Path

import bpy
from bpy.props import EnumProperty, StringProperty

from .. import compat
from ..capture.checks import CaptureError
from ..result.strip_frames import READABLE
from .exr import read_head
from .layers import layers_of
from .sequence import find_sequence
from .source import absolute

KINDS = (
    ("RENDER", "Render", "Render the shot now, with exact passes of its own; the scene stays as it is"),
    ("PASSES", "Passes on Disk", "Multilayer EXR files that were rendered before, with the passes in them"),
    ("STRIP", "Strip", "A strip of this scene's sequencer: footage without passes, whose motion is estimated"),
)
PICTURES = (
    ("COMBINED", "Combined Pass", "The Combined pass of the EXR files, through this scene's view transform"),
    ("FILES", "PNG Files", "PNG files of the same frames, as they are"),
)


class DiffsynthSource(bpy.types.PropertyGroup):
    """The source of a shot; reachable as `scene.diffsynth.source`."""

    kind: EnumProperty(name="Source", description="Where the frames come from", items=KINDS, default="RENDER")
    passes_file: StringProperty(
        name="EXR File",
        description=(
            "One of the multilayer EXR files; the number in its name is the scene frame. They need the passes Z, "
            "Normal, Vector, Position and Cryptomatte Object, for every frame"
        ),
        default="",
        subtype="FILE_PATH",
        options=compat.RELATIVE_PATH,
    )
    passes_layer: StringProperty(
        name="View Layer",
        description="View layer of the files that is read; empty: the only one that has all passes",
        default="",
        search=lambda chosen, context, text: _layer_names(chosen.passes_file),
        search_options={"SUGGESTION"},
    )
    pictures: EnumProperty(
        name="Picture", description="What the frames look like to the model", items=PICTURES, default="COMBINED"
    )
    picture_file: StringProperty(
        name="PNG File",
        description="One of the PNG files; the number in its name is the scene frame",
        default="",
        subtype="FILE_PATH",
        options=compat.RELATIVE_PATH,
    )
    strip: StringProperty(
        name="Strip",
        description="A movie, image, scene or meta strip of this scene's sequencer",
        default="",
        search=lambda chosen, context, text: _strip_names(chosen.id_data),
        search_options={"SUGGESTION"},
    )


def _layer_names(file: str) -> list[str]:
    """The view layers of the chosen files; none where they cannot be read, which the button tells in a sentence."""
    try:
        path: Path = next(iter(find_sequence(absolute(file)).values()))
        return [name for name in layers_of(read_head(path)) if name]
    except CaptureError:
        return []


def _strip_names(scene: bpy.types.Scene) -> list[str]:
    editor = scene.sequence_editor
    if editor is None:
        return []
    # Not strips_of: that one makes an editor where there is none.
    return [strip.name for strip in compat.strips_in(editor) if strip.type in READABLE]


CLASSES = (DiffsynthSource,)
