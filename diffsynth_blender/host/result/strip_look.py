"""How a strip looks, given to another strip: its place in the picture, colours, modifiers, blending, animation."""

from __future__ import annotations

import bpy

from .. import compat
from .rna_copy import copy_settings

BLENDING = ("blend_type", "blend_alpha", "color_tag")
"""How a strip lies over what is below it."""
APPEARANCE = (
    "use_flip_x",
    "use_flip_y",
    "use_reverse_frames",
    "strobe",
    "color_multiply",
    "multiply_alpha",
    "color_saturation",
    "use_linear_modifiers",
    "transform",
    "crop",
)
"""What a strip does to its pictures, beside its modifiers. A render of the strip has all of it in its pixels."""


def copy_look(source: bpy.types.Strip, target: bpy.types.Strip, *, with_appearance: bool) -> None:
    """Make `target` look as `source` does, animation included.

    Args:
        source: Is left alone.
        target: A new strip of the same scene.
        with_appearance: Position, crop, colours and modifiers as well as blending: not where they are in the pixels.
    """
    names = BLENDING + (APPEARANCE if with_appearance else ())
    copy_settings(source, target, names)
    if with_appearance:
        for modifier in source.modifiers:
            copy_settings(modifier, compat.new_strip_modifier(target, modifier.name, modifier.type))
    _copy_animation(source, target, (*names, "modifiers") if with_appearance else names)


def shrink(strip: bpy.types.Strip, factor: float) -> None:
    """Show pictures that have become `factor` times as large in the size they had, animation included."""
    sizes = {"transform.scale_x": 1 / factor, "transform.scale_y": 1 / factor}
    sizes |= {f"crop.{side}": factor for side in ("min_x", "max_x", "min_y", "max_y")}
    start = strip.path_from_id()
    curves = compat.animation_curves(strip.id_data) or ()
    for path, size in sizes.items():
        owner, name = path.split(".")
        part = getattr(strip, owner)
        setattr(part, name, type(getattr(part, name))(getattr(part, name) * size))
        for curve in curves:
            if curve.data_path == f"{start}.{path}":
                for key in curve.keyframe_points:
                    for point in (key.co, key.handle_left, key.handle_right):
                        point.y *= size


def make_opaque(strip: bpy.types.Strip) -> bpy.types.Action | None:
    """Show a strip of a scene's copy in full, however it is blended in; returns an action to remove with that scene.

    Its opacity is the result's, too: what is restyled with it would be faded twice.
    """
    scene, path = strip.id_data, f"{strip.path_from_id()}.blend_alpha"
    own = None
    if any(curve.data_path == path for curve in compat.animation_curves(scene) or ()):
        # The copy is animated by the very action of the artist's scene.
        own = scene.animation_data.action = scene.animation_data.action.copy()
        curves = compat.animation_curves(scene)
        curves.remove(curves.find(path))
    strip.driver_remove("blend_alpha")
    strip.blend_type, strip.blend_alpha = "REPLACE", 1.0  # not over, or times, what lies below it
    return own


def forget_animation(strip: bpy.types.Strip) -> None:
    """Remove what animates a strip that is about to be removed: Blender leaves its drivers behind."""
    scene, start = strip.id_data, strip.path_from_id() + "."
    drivers = scene.animation_data.drivers if scene.animation_data else ()
    for curves in (compat.animation_curves(scene) or (), drivers):
        for curve in [curve for curve in curves if curve.data_path.startswith(start)]:
            curves.remove(curve)


def _copy_animation(source: bpy.types.Strip, target: bpy.types.Strip, names: tuple[str, ...]) -> None:
    """Animate `target` as `source` is animated, in these properties and what lies inside them."""
    scene = source.id_data
    start, new_start = source.path_from_id(), target.path_from_id()

    def new_path(path: str) -> str:
        inside = path.removeprefix(f"{start}.")
        root = inside.split(".")[0].split("[")[0]
        return f"{new_start}.{inside}" if inside != path and root in names else ""

    curves = compat.animation_curves(scene)
    for curve in list(curves or ()):
        if path := new_path(curve.data_path):
            _copy_curve(curve, curves.new(path, index=curve.array_index))
    drivers = scene.animation_data.drivers if scene.animation_data else ()
    for driver in list(drivers):
        if path := new_path(driver.data_path):
            drivers.from_existing(src_driver=driver).data_path = path


def _copy_curve(source: bpy.types.FCurve, target: bpy.types.FCurve) -> None:
    settings = ("color", "color_mode", "extrapolation", "auto_smoothing", "hide", "lock", "mute")
    copy_settings(source, target, settings)
    target.keyframe_points.add(len(source.keyframe_points))
    for key, copy in zip(source.keyframe_points, target.keyframe_points, strict=True):
        # Types first: they decide what becomes of the handles.
        copy_settings(key, copy, ("handle_left_type", "handle_right_type"))
        copy_settings(key, copy)
    for modifier in source.modifiers:
        copy_settings(modifier, target.modifiers.new(modifier.type))
