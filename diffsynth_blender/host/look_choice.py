"""What choosing a look does in the panel: the values that suit it, and the objects that a region names."""

import bpy

from ..protocol import BadJobError, Region
from ..protocol.looks import LOOKS, LookSettings

SEEN_TYPES = {"MESH", "CURVE", "SURFACE", "META", "FONT", "CURVES", "POINTCLOUD"}
"""Object types that have a surface in the passes; lights, cameras and helpers in a collection are no part of a region.
"""


def fill_in(chosen: bpy.types.PropertyGroup) -> None:
    """Set the panel's values to those of the chosen look and model."""
    for name, value in _values(chosen, chosen.model).items():
        setattr(chosen, name, value)


def change_model(chosen: bpy.types.PropertyGroup) -> None:
    """Set what suited the other kind of model to what suits this one; values that the artist chose stay."""
    before = _values(chosen, "FOLDER" if chosen.model == "DEMO" else "DEMO")
    for name, value in _values(chosen, chosen.model).items():
        # Properties are 32-bit.
        if abs(getattr(chosen, name) - before[name]) < 1e-6:
            setattr(chosen, name, value)


def regions(chosen: bpy.types.PropertyGroup) -> tuple[Region, ...]:
    """The chosen collection's objects that a render can show, as one region; none where none is chosen.

    Raises BadJobError where the collection has no such object.
    """
    if chosen.region is None:
        return ()
    seen = [object for object in chosen.region.all_objects if object.type in SEEN_TYPES and not object.hide_render]
    if not seen:
        raise BadJobError(f"the collection {chosen.region.name!r} has no object that is rendered; choose another")
    return (Region(tuple(sorted(object.name for object in seen)), chosen.region_prompt),)


def _values(chosen: bpy.types.PropertyGroup, model: str) -> dict[str, float | int | bool]:
    look = LOOKS[chosen.look.lower()]
    column: LookSettings = look.demo if model == "DEMO" else look.settings
    scales = {control.kind: control.scale for control in column.controls}
    return {
        "strength": column.strength,
        "steps": column.steps,
        "guidance_scale": column.guidance_scale,
        "depth_scale": scales.get("depth", 0.0),
        "normal_scale": scales.get("normal", 0.0),
        "use_deflicker": True,
        "window": column.deflicker.widest,
    }
