"""The jobs of a scene as the file remembers them."""

import bpy


class DiffsynthJobs(bpy.types.PropertyGroup):
    """Jobs of the scene, saved with the file; reachable as `scene.diffsynth.jobs`."""


CLASSES = (DiffsynthJobs,)
