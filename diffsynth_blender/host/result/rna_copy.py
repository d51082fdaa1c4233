"""Copy what is set on one thing in Blender to another of its kind, property by property, with what lies inside it."""

from __future__ import annotations

from collections.abc import Collection

import bpy


def copy_settings(
    source: bpy.types.bpy_struct, target: bpy.types.bpy_struct, only: Collection[str] | None = None
) -> None:
    """Give `target` every setting that `source` has too.

    Args:
        source: Is left alone.
        target: Need not be of the very same type; what one of the two lacks is left out.
        only: Names of the properties to copy; by default all.
    """
    theirs = source.bl_rna.properties
    for prop in target.bl_rna.properties:
        name = prop.identifier
        if name == "rna_type" or name not in theirs or (only is not None and name not in only):
            continue
        if prop.type == "POINTER" and prop.is_readonly:
            _copy_inside(getattr(source, name), getattr(target, name))
        elif prop.type != "COLLECTION" and not prop.is_readonly:
            value = plain_value(source, name)
            if plain_value(target, name) != value:  # setting what is there already may leave a trace
                setattr(target, name, value)


def plain_value(owner: bpy.types.bpy_struct, name: str) -> object:
    """A property's value that stays what it is: a tuple for a vector or a set of numbers."""
    value = getattr(owner, name)
    return tuple(value) if hasattr(value, "__len__") and not isinstance(value, str | set) else value


def _copy_inside(source: bpy.types.bpy_struct | None, target: bpy.types.bpy_struct | None) -> None:
    if source is None or target is None:
        return
    copy_settings(source, target)
    if isinstance(source, bpy.types.CurveMapping):
        for curve, copy in zip(source.curves, target.curves, strict=True):
            _copy_points(curve, copy)
        target.update()


def _copy_points(source: bpy.types.CurveMap, target: bpy.types.CurveMap) -> None:
    """A curve has at least two points, which cannot be removed."""
    while len(target.points) > len(source.points):
        target.points.remove(target.points[1])
    while len(target.points) < len(source.points):
        target.points.new(*source.points[len(target.points)].location)
    for point, copy in zip(source.points, target.points, strict=True):
        copy.location = point.location
        copy.handle_type = point.handle_type
        copy.select = point.select
