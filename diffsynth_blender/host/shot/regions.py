"""Collections that the artist chose as regions of the protocol: names of objects that a render can show."""

import bpy

from ...protocol import BadJobError, Region

SEEN_TYPES = {"MESH", "CURVE", "SURFACE", "META", "FONT", "CURVES", "POINTCLOUD"}
"""Object types that have a surface in the passes; lights, cameras and helpers in a collection are no part of a region.
"""


def regions(chosen: bpy.types.PropertyGroup) -> tuple[Region, ...]:
    """The chosen collections' objects with their prompts; collections not chosen yet are left out.

    Raises BadJobError where a collection has no object that a render shows.
    """
    if not chosen.use_regions:
        return ()
    return tuple(_region(region) for region in chosen.regions if region.collection is not None)


def _region(region: bpy.types.PropertyGroup) -> Region:
    collection = region.collection
    seen = [object for object in collection.all_objects if object.type in SEEN_TYPES and not object.hide_render]
    if not seen:
        raise BadJobError(f"the collection {collection.name!r} has no object that is rendered; choose another")
    return Region(tuple(sorted(object.name for object in seen)), region.prompt)
