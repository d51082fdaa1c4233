"""The latest picture of a job as an icon, which is how a panel can show a picture. Read again when its file changes."""

from __future__ import annotations

from pathlib import Path

import bpy
import bpy.utils.previews


class _Icons:
    collection: bpy.utils.previews.ImagePreviewCollection | None = None
    shown: tuple[str, int] | None = None  # path and time of the file that was read


def icon_of(path: Path | None) -> int:
    """The icon of a picture; 0 where there is none to see."""
    if path is None or _Icons.collection is None:
        return 0
    try:
        shown = (str(path), path.stat().st_mtime_ns)
    except OSError:
        return 0
    if shown != _Icons.shown:
        # A collection reads a file once under each name; one name would show the first picture forever.
        _Icons.collection.clear()
        _Icons.shown = shown
    name = f"{shown[0]} {shown[1]}"
    if name not in _Icons.collection:
        # Whoever asks for its size has it read here and now, which is quick for a picture this small. Blender itself
        # would read it beside, and then draw whole windows anew, ten times a second and all that is in them.
        _Icons.collection.load(name, shown[0], "IMAGE").image_size[:]
    return _Icons.collection[name].icon_id


def register() -> None:
    """Make room for one picture."""
    _Icons.collection = bpy.utils.previews.new()


def unregister() -> None:
    """Give it back; Blender complains at its end about collections that are left."""
    bpy.utils.previews.remove(_Icons.collection)
    _Icons.collection, _Icons.shown = None, None
