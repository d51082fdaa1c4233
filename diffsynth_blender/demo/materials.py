"""Materials and skies as node trees: the one vocabulary of the demo scene and of the training scenes.

A model trained on the one must recognise the other, so both are made of nothing else. Every pattern is a scalar in
[0, 1] sent through a colour ramp, and every node used exists under the same name from Blender 4.2 to 5.2.
Colours are sRGB hexadecimal strings, as a painter's palette gives them; nodes get linear values.
"""

from __future__ import annotations

from collections.abc import Sequence

import bpy

PATTERNS = ("plain", "checker", "stripes", "rings", "dots", "cells", "noise", "marble", "bricks", "wood")
VIEW_TRANSFORM, VIEW_LOOK = "AgX", "AgX - Medium High Contrast"
"""How all of it is displayed: Blender's default transform, a little crisper."""
GROUND_INDEX = 1
"""`pass_index` of the ground: override materials treat the ground differently from what stands on it."""


def linear(colour: str) -> tuple[float, float, float, float]:
    """Linear Rec. 709 RGBA of an sRGB colour such as "#e07a5f"."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return red, green, blue, 1.0


def principled(tree: bpy.types.NodeTree) -> bpy.types.Node:
    """The shader that a new material comes with."""
    return next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")


def _value(node: bpy.types.Node) -> bpy.types.NodeSocket:
    """The node's first scalar output; the sockets' names differ between releases, their types do not."""
    return next(socket for socket in node.outputs if socket.type == "VALUE")


def _set(node: bpy.types.Node, **inputs: float) -> None:
    for name, value in inputs.items():
        node.inputs[name.replace("_", " ")].default_value = value


def _ramp(tree: bpy.types.NodeTree, stops: Sequence[tuple[float, str]], interpolation: str) -> bpy.types.Node:
    """A colour ramp with the given (position, colour) stops."""
    node = tree.nodes.new("ShaderNodeValToRGB")
    ramp = node.color_ramp
    ramp.interpolation = interpolation
    while len(ramp.elements) < len(stops):
        ramp.elements.new(0.5)
    for element, (position, colour) in zip(ramp.elements, stops, strict=True):
        element.position = position
        element.color = linear(colour)
    return node


def _mix(
    tree: bpy.types.NodeTree, factor: bpy.types.NodeSocket, first: bpy.types.NodeSocket, second: tuple[float, ...]
) -> bpy.types.NodeSocket:
    """The output of a mix node from the colour of a socket (factor 0) to a constant linear colour (factor 1)."""
    mix = tree.nodes.new("ShaderNodeMix")
    mix.data_type = "RGBA"
    # The node has sockets of every data type under the same names; those of the chosen one are enabled.
    tree.links.new(factor, next(s for s in mix.inputs if s.type == "VALUE" and s.enabled))
    start, end = (s for s in mix.inputs if s.type == "RGBA")
    tree.links.new(first, start)
    end.default_value = second
    return next(s for s in mix.outputs if s.type == "RGBA")


def _pattern(tree: bpy.types.NodeTree, pattern: str, scale: float) -> bpy.types.Node:
    """The texture node of a pattern, its scale set for a surface whose coordinates run over about one unit."""
    kinds = {"checker": "Checker", "dots": "Voronoi", "cells": "Voronoi", "noise": "Noise", "bricks": "Brick"}
    node = tree.nodes.new(f"ShaderNodeTex{kinds.get(pattern, 'Wave')}")
    if pattern == "checker":
        _set(node, Scale=4 * scale)
    elif pattern == "stripes":
        node.bands_direction = "Z"
        _set(node, Scale=1.6 * scale)
    elif pattern == "rings":
        node.wave_type = "RINGS"
        _set(node, Scale=1.2 * scale)
    elif pattern == "dots":
        _set(node, Scale=4 * scale, Randomness=0.0)
    elif pattern == "cells":
        node.feature = "F1"
        _set(node, Scale=4 * scale)
    elif pattern == "noise":
        _set(node, Scale=3 * scale, Detail=3.0)
    elif pattern == "marble":
        _set(node, Scale=0.8 * scale, Distortion=9.0, Detail=3.0, Detail_Scale=1.2)
    elif pattern == "bricks":
        _set(node, Scale=3 * scale, Mortar_Size=0.03)
    else:
        node.bands_direction = "X"
        _set(node, Scale=2 * scale, Distortion=4.0, Detail=3.0, Detail_Scale=1.5)
    return node


def _stops(pattern: str, colours: Sequence[str]) -> tuple[list[tuple[float, str]], str]:
    """Ramp stops for a pattern: hard edges where the pattern is a print, soft where it is a material."""
    first, second = colours[0], colours[1]
    third = colours[2] if len(colours) > 2 else first
    if pattern == "dots":
        return [(0.0, second), (0.34, first)], "CONSTANT"
    if pattern in ("stripes", "rings"):
        return [(0.0, first), (0.5, second)], "CONSTANT"
    if pattern == "cells":
        return [(0.0, first), (0.30, third), (0.55, second)], "CONSTANT"
    if pattern == "noise":
        return [(0.38, first), (0.5, third), (0.62, second)], "LINEAR"
    if pattern == "marble":
        return [(0.0, second), (0.35, first), (1.0, first)], "EASE"
    return [(0.0, first), (1.0, second)], "LINEAR"


def surface(
    name: str,
    pattern: str,
    colours: Sequence[str],
    *,
    scale: float = 1.0,
    roughness: float = 0.45,
    fade: float = 0.0,
) -> bpy.types.Material:
    """A principled material with a procedural pattern of two or three colours.

    Args:
        name: The data-block's name.
        pattern: One of PATTERNS.
        colours: Two or three sRGB colours; "plain" uses only the first.
        scale: How many times finer than the pattern's natural size.
        roughness: Principled roughness in [0, 1].
        fade: For grounds. The pattern is laid out in the object's own units and melts into its mean colour between this
            distance from the object's origin and three times it, before it gets finer than pixels. 0: the pattern is
            laid out over the undeformed object's bounding box, and sticks to the surface when that deforms.
    """
    material = bpy.data.materials.new(name)
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    tree = material.node_tree
    shader = principled(tree)
    _set(shader, Roughness=roughness)
    material.diffuse_color = linear(colours[0])
    if pattern == "plain":
        shader.inputs["Base Color"].default_value = linear(colours[0])
        return material
    texture = _pattern(tree, pattern, scale)
    ramp = _ramp(tree, *_stops(pattern, colours))
    place = tree.nodes.new("ShaderNodeTexCoord")
    coordinates = place.outputs["Object" if fade else "Generated"]
    tree.links.new(coordinates, texture.inputs["Vector"])
    tree.links.new(_value(texture), ramp.inputs[0])
    colour = ramp.outputs[0]
    if fade:
        distance = tree.nodes.new("ShaderNodeVectorMath")
        distance.operation = "LENGTH"
        far = tree.nodes.new("ShaderNodeMapRange")
        far.inputs["From Min"].default_value = fade
        far.inputs["From Max"].default_value = 3 * fade
        tree.links.new(coordinates, distance.inputs[0])
        tree.links.new(distance.outputs["Value"], far.inputs["Value"])
        mean = tuple(sum(channel) / len(colours) for channel in zip(*map(linear, colours), strict=True))
        colour = _mix(tree, far.outputs[0], colour, mean)
    tree.links.new(colour, shader.inputs["Base Color"])
    return material


def override(
    name: str, colour: str, ground: str, *, roughness: float, ground_roughness: float, metallic: float
) -> bpy.types.Material:
    """A material for a whole view layer: `colour` on the objects, `ground` on what has GROUND_INDEX as pass index."""
    material = bpy.data.materials.new(name)
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    tree = material.node_tree
    shader = principled(tree)
    info = tree.nodes.new("ShaderNodeObjectInfo")
    is_ground = tree.nodes.new("ShaderNodeMath")
    is_ground.operation = "COMPARE"
    is_ground.inputs[1].default_value = GROUND_INDEX
    is_ground.inputs[2].default_value = 0.1
    tree.links.new(info.outputs["Object Index"], is_ground.inputs[0])
    ramp = _ramp(tree, [(0.0, colour), (1.0, ground)], "LINEAR")
    tree.links.new(is_ground.outputs[0], ramp.inputs[0])
    tree.links.new(ramp.outputs[0], shader.inputs["Base Color"])
    for socket, on_objects, on_ground in (("Roughness", roughness, ground_roughness), ("Metallic", metallic, 0.0)):
        scale = tree.nodes.new("ShaderNodeMath")
        scale.operation = "MULTIPLY_ADD"
        scale.inputs[1].default_value = on_ground - on_objects
        scale.inputs[2].default_value = on_objects
        tree.links.new(is_ground.outputs[0], scale.inputs[0])
        tree.links.new(scale.outputs[0], shader.inputs[socket])
    return material


def by_height(
    tree: bpy.types.NodeTree, direction: bpy.types.NodeSocket, stops: Sequence[tuple[float, str]]
) -> tuple[bpy.types.NodeSocket, bpy.types.NodeSocket]:
    """How high a direction points, 0 straight down to 1 straight up, and its colour by (height, colour) stops."""
    split = tree.nodes.new("ShaderNodeSeparateXYZ")
    height = tree.nodes.new("ShaderNodeMath")
    height.operation = "MULTIPLY_ADD"
    height.inputs[1].default_value = height.inputs[2].default_value = 0.5
    ramp = _ramp(tree, stops, "EASE")
    tree.links.new(direction, split.inputs[0])
    tree.links.new(split.outputs["Z"], height.inputs[0])
    tree.links.new(height.outputs[0], ramp.inputs[0])
    return height.outputs[0], ramp.outputs[0]


def sky(
    name: str,
    stops: Sequence[tuple[float, str]],
    *,
    strength: float = 1.0,
    clouds: float = 0.0,
    cloud_colour: str = "#ffffff",
    seed: float = 0.0,
) -> bpy.types.World:
    """A world whose colour depends on the height of the ray, with soft clouds.

    Args:
        name: The data-block's name.
        stops: (position, sRGB colour): position 0 looks straight down, 0.5 at the horizon, 1 straight up.
        strength: Radiance multiplier.
        clouds: How much of the upper half they cover, in [0, 1].
        cloud_colour: Their sRGB colour.
        seed: Another number, other clouds.
    """
    world = bpy.data.worlds.new(name)
    if bpy.app.version < (5, 0, 0):
        world.use_nodes = True
    tree = world.node_tree
    background = next(node for node in tree.nodes if node.type == "BACKGROUND")
    background.inputs["Strength"].default_value = strength
    place = tree.nodes.new("ShaderNodeTexCoord")
    height, ramp = by_height(tree, place.outputs["Generated"], stops)
    colour = ramp
    if clouds > 0:
        stretch = tree.nodes.new("ShaderNodeMapping")
        stretch.inputs["Scale"].default_value = (1.0, 1.0, 3.2)
        stretch.inputs["Location"].default_value = (seed, 2 * seed, 0.0)
        noise = tree.nodes.new("ShaderNodeTexNoise")
        _set(noise, Scale=2.6, Detail=4.0)
        tree.links.new(place.outputs["Generated"], stretch.inputs["Vector"])
        tree.links.new(stretch.outputs[0], noise.inputs["Vector"])
        edge = 0.66 - 0.24 * clouds
        cover = _ramp(tree, [(edge, "#000000"), (edge + 0.16, "#ffffff")], "EASE")
        tree.links.new(_value(noise), cover.inputs[0])
        # Clouds fade out below the horizon, where the ground ends.
        fade = _ramp(tree, [(0.5, "#000000"), (0.56, "#ffffff")], "LINEAR")
        tree.links.new(height, fade.inputs[0])
        both = tree.nodes.new("ShaderNodeMath")
        both.operation = "MULTIPLY"
        tree.links.new(cover.outputs[0], both.inputs[0])
        tree.links.new(fade.outputs[0], both.inputs[1])
        colour = _mix(tree, both.outputs[0], colour, linear(cloud_colour))
    tree.links.new(colour, background.inputs["Color"])
    # The importance map of a smooth sky costs more than it saves.
    world.cycles.sampling_method = "NONE"
    return world
