"""Everything Blender knows of a sequencer or of nodes, as plain data: what a before and an after are compared by."""

from __future__ import annotations

import warnings

import bpy

from diffsynth_blender.host import compat
from diffsynth_blender.host.result.sequencer import every_strip

NOTED = {"orig_width", "orig_height", "orig_fps"}
"""What Blender notes of a picture when it first reads it."""


def dump_sequencer(scene: bpy.types.Scene) -> dict[str, object]:
    """Every property of every strip, channel and modifier, what animates them, and what is selected."""
    editor = scene.sequence_editor
    return {
        "strips": {strip.name: dump(strip) for strip in every_strip(scene)},
        "metas": {strip.name: _name(strip.parent_meta()) for strip in every_strip(scene)},
        "channels": [dump(channel) for channel in editor.channels],
        "active": _name(editor.active_strip),
        "curves": [dump(curve) for curve in compat.animation_curves(scene) or ()],
        "drivers": [dump(driver) for driver in (scene.animation_data.drivers if scene.animation_data else ())],
    }


def dump_tree(tree: bpy.types.NodeTree) -> dict[str, object]:
    """Every property of every node, socket and link; links in no order, which means nothing to Blender."""
    links = [
        (link.from_node.name, link.from_socket.identifier, link.to_node.name, link.to_socket.identifier, link.is_muted)
        for link in tree.links
    ]
    curves = compat.animation_curves(tree)
    return {
        "nodes": {node.name: dump(node) for node in tree.nodes},
        "links": sorted(links),
        "active": _name(tree.nodes.active),
        "animated": tree.animation_data is not None,
        "curves": [dump(curve) for curve in curves or ()],
    }


def differences(before: object, after: object, path: str = "") -> list[str]:
    """Where two dumps differ, one line each."""
    if isinstance(before, dict) and isinstance(after, dict):
        keys = [*before, *(key for key in after if key not in before)]
        return [line for key in keys for line in differences(before.get(key), after.get(key), f"{path}/{key}")]
    if isinstance(before, list | tuple) and isinstance(after, list | tuple) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [line for place, pair in pairs for line in differences(*pair, f"{path}[{place}]")]
    return [] if before == after else [f"{path}: {before!r} became {after!r}"]


def dump(owner: bpy.types.bpy_struct, depth: int = 5) -> dict[str, object]:
    """Every property, custom ones too, and those of what belongs to it; other data by name."""
    found: dict[str, object] = {"": owner.bl_rna.identifier}
    if depth == 0:
        return found
    for prop in owner.bl_rna.properties:
        if prop.identifier in NOTED:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            value = getattr(owner, prop.identifier)
        if prop.identifier == "strobe":
            value = max(1.0, value)  # both show every frame; 4.2 itself corrects it in a strip that it renders
        found[prop.identifier] = _plain(prop, value, depth)
    if hasattr(owner, "keys") and not isinstance(owner, bpy.types.Modifier):
        try:
            found["custom"] = {key: _custom(value) for key, value in owner.items()}
        except TypeError:  # a kind of thing that has no custom properties
            pass
    return found


def _plain(prop: bpy.types.Property, value: object, depth: int) -> object:
    if prop.type == "POINTER":
        if prop.identifier == "rna_type" or value is None:
            return None
        # What may be exchanged for another is a reference; what may not is a part.
        refers = not prop.is_readonly or isinstance(value, bpy.types.ID | bpy.types.Node | bpy.types.NodeTree)
        return _name(value) if refers else dump(value, depth - 1)
    if prop.type == "COLLECTION":
        return [_name(item) if isinstance(item, bpy.types.ID) else dump(item, depth - 1) for item in value]
    return tuple(value) if hasattr(value, "__len__") and not isinstance(value, str | set) else value


def _custom(value: object) -> object:
    if hasattr(value, "to_dict"):
        return value.to_dict()
    return value.to_list() if hasattr(value, "to_list") else value


def _name(value: object) -> str | None:
    return getattr(value, "name", repr(value)) if value is not None else None
