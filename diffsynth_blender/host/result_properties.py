"""What becomes of a result: what the artist chooses of it."""

import bpy


class DiffsynthResult(bpy.types.PropertyGroup):
    """Where the frames go when they are done; reachable as `scene.diffsynth.result`."""


CLASSES = (DiffsynthResult,)
