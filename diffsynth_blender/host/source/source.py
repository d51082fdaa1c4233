"""Where the frames of a shot may come from, as plain values.

Knows what can be chosen; reads no files and renders nothing.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TypeAlias

import bpy

from ...protocol import BadJobError
from ..capture.checks import CaptureError


@dataclass(frozen=True)
class RenderSource:
    """Rendered now, with exact passes of our own."""

    kind = "render"


@dataclass(frozen=True)
class PassesSource:
    """Rendered before by the artist: multilayer EXR files with the passes in them."""

    file: Path
    """One of the files, or their common name with # for the frame number; absolute."""
    layer: str = ""
    """View layer that the passes are read from; empty: the only one that has them all."""
    pictures: Path | None = None
    """One of the PNG files that show the frames as the artist sees them, as `file`. None: the Combined pass, through
    the scene's view transform."""

    kind = "passes"


@dataclass(frozen=True)
class StripSource:
    """A strip of the scene's sequencer: footage without passes."""

    strip: str
    """Name of the strip."""

    kind = "strip"


Source: TypeAlias = RenderSource | PassesSource | StripSource


def chosen_source(scene: bpy.types.Scene) -> Source:
    """What the artist chose; to be rendered, where the add-on is not registered (a plain import).

    Raises CaptureError where the choice is incomplete.
    """
    chosen = getattr(getattr(scene, "diffsynth", None), "source", None)
    if chosen is None or chosen.kind == "RENDER":
        return RenderSource()
    if chosen.kind == "STRIP":
        if not chosen.strip:
            raise CaptureError("No strip is chosen: set Strip in the Source panel.")
        return StripSource(chosen.strip)
    if not chosen.passes_file:
        raise CaptureError("No file with passes is chosen: set EXR File in the Source panel.")
    pictures = None
    if chosen.pictures == "FILES":
        if not chosen.picture_file:
            raise CaptureError("No picture is chosen: set PNG File in the Source panel, or take the Combined pass.")
        pictures = absolute(chosen.picture_file)
    return PassesSource(absolute(chosen.passes_file), chosen.passes_layer, pictures)


def absolute(path: str) -> Path:
    """A path as Blender writes it, where // is beside the .blend file. Raises CaptureError where that has no place."""
    if path.startswith("//") and not bpy.data.filepath:
        raise CaptureError(f"{path} lies beside the .blend file, which is not saved yet: save it, or choose another.")
    return Path(bpy.path.abspath(path)).resolve()


def describe(source: Source) -> dict[str, str | None]:
    """The choice as JSON values."""
    values = {key: None if value is None else str(value) for key, value in asdict(source).items()}
    return {"kind": source.kind, **values}


def write_source(source: Source) -> str:
    """The choice as one line of text."""
    return json.dumps(describe(source))


def read_source(text: str) -> Source:
    """The choice that `write_source` wrote. Raises BadJobError where it says what this version does not know."""
    try:
        values = json.loads(text)
        kind = {kind.kind: kind for kind in (RenderSource, PassesSource, StripSource)}[values.pop("kind")]
        paths = {field.name for field in fields(kind) if "Path" in str(field.type)}
        return kind(**{key: Path(value) if key in paths and value else value for key, value in values.items()})
    except (ValueError, TypeError, AttributeError, KeyError):
        raise BadJobError(
            f"the source {text!r} cannot be read; start the job anew with the source that the scene names"
        ) from None
