"""Where the frames of a shot come from: what the artist chooses of it."""

import bpy


class DiffsynthSource(bpy.types.PropertyGroup):
    """The source of a shot; reachable as `scene.diffsynth.source`."""


CLASSES = (DiffsynthSource,)
