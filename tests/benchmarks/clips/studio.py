"""What the shots are made of: paint in two looks, meshes that carry their rest position, keys on every frame.

A pattern is read at the *rest position*, a vertex attribute that no deformation changes: the detail of the truth is
then fixed to the surface, however it bends. Light never depends on the look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import bpy
import numpy as np
from mathutils import Vector

from diffsynth_blender.demo.shapes import make_mesh, points

Look = Literal["guide", "truth"]

FRAMES = 24
WIDTH, HEIGHT = 320, 192
SAMPLES = 28
REST = "rest"


@dataclass(frozen=True)
class Paint:
    """A surface in both looks. Colours are sRGB hexadecimal."""

    name: str
    guide: tuple[str, str]
    """Two colours of the coarse pattern, which both looks share."""
    truth: tuple[str, str, str]
    """Two colours of the coarse pattern, and that of the detail."""
    detail: str = "grain"
    """One of `DETAILS`."""
    scale: float = 1.0
    """Of the detail: repeats a unit, about."""
    coarse: float = 1.2
    """Of the coarse pattern: repeats a unit, about."""
    roughness: float = 0.6
    metallic: float = 0.0
    strength: float = 0.8
    """Of the detail, 0 to 1."""


def linear(colour: str) -> tuple[float, float, float, float]:
    """Linear Rec. 709 RGBA of an sRGB colour such as "#e07a5f"."""
    values = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return (*np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4).tolist(), 1.0)


class Tree:
    """A node tree being written; `node` returns the first output of a new node."""

    def __init__(self, tree: bpy.types.NodeTree) -> None:
        self.tree = tree

    def node(self, kind: str, output: str | int = 0, *, inputs: dict | None = None, **settings: object):
        """Add a node; values of `inputs` are constants or sockets. Returns one of its outputs."""
        node = self.tree.nodes.new(kind)
        for name, value in settings.items():
            setattr(node, name, value)
        for name, value in (inputs or {}).items():
            if isinstance(value, bpy.types.NodeSocket):
                self.tree.links.new(value, node.inputs[name])
            else:
                node.inputs[name].default_value = value
        return node.outputs[output]

    def ramp(self, factor: bpy.types.NodeSocket, stops: Sequence[tuple[float, str]]) -> bpy.types.NodeSocket:
        """Colours at positions of a factor."""
        colour = self.node("ShaderNodeValToRGB", inputs={"Fac": factor})
        elements = colour.node.color_ramp.elements
        while len(elements) < len(stops):
            elements.new(0.5)
        for element, (position, value) in zip(elements, stops, strict=True):
            element.position, element.color = position, linear(value)
        return colour

    def mix(self, factor, first, second) -> bpy.types.NodeSocket:
        """Colours `first` (factor 0) to `second` (factor 1), each a socket or a hexadecimal colour."""
        pair = [linear(c) if isinstance(c, str) else c for c in (first, second)]
        return self.node("ShaderNodeMixRGB", inputs={0: factor, 1: pair[0], 2: pair[1]})

    def between(self, value, low: float, high: float) -> bpy.types.NodeSocket:
        """0 below `low`, 1 above `high` (or the other way round), smooth between."""
        inputs = {0: value, 1: low, 2: high, 3: 0.0, 4: 1.0}
        return self.node("ShaderNodeMapRange", interpolation_type="SMOOTHSTEP", inputs=inputs)


def _grain(tree: Tree, place, scale: float):
    stretched = tree.node("ShaderNodeVectorMath", operation="MULTIPLY", inputs={0: place, 1: (scale, scale, scale / 8)})
    noise = tree.node("ShaderNodeTexNoise", inputs={"Vector": stretched, "Scale": 1.0, "Detail": 2.0})
    return tree.between(noise, 0.4, 0.6)


def _speckle(tree: Tree, place, scale: float):
    noise = tree.node("ShaderNodeTexNoise", inputs={"Vector": place, "Scale": scale, "Detail": 2.0, "Roughness": 0.6})
    return tree.between(noise, 0.48, 0.6)


def _cells(tree: Tree, place, scale: float):
    edge = tree.node(
        "ShaderNodeTexVoronoi", feature="DISTANCE_TO_EDGE", inputs={"Vector": place, "Scale": scale, "Randomness": 0.8}
    )
    return tree.between(edge, 0.12, 0.05)


def _bricks(tree: Tree, place, scale: float):
    """Courses along z, staggered along x + y, so that walls of any heading have them."""
    split = tree.node("ShaderNodeSeparateXYZ", inputs={0: place}).node
    along = tree.node("ShaderNodeMath", operation="ADD", inputs={0: split.outputs[0], 1: split.outputs[1]})
    flat = tree.node("ShaderNodeCombineXYZ", inputs={0: along, 1: split.outputs[2], 2: 0.0})
    inputs = {"Vector": flat, "Scale": scale, "Mortar Size": 0.05, "Mortar Smooth": 0.3, "Bias": -1.0}
    return tree.node("ShaderNodeTexBrick", 1, inputs=inputs)


def _stripes(tree: Tree, place, scale: float):
    inputs = {"Vector": place, "Scale": scale / 6.3, "Distortion": 1.5, "Detail": 1.0, "Detail Scale": 1.0}
    return tree.between(tree.node("ShaderNodeTexWave", 1, bands_direction="Z", inputs=inputs), 0.55, 0.8)


def _dots(tree: Tree, place, scale: float):
    distance = tree.node("ShaderNodeTexVoronoi", inputs={"Vector": place, "Scale": scale, "Randomness": 0.6})
    return tree.between(distance, 0.38, 0.28)


def _tiles(tree: Tree, place, scale: float):
    inputs = {"Vector": place, "Scale": scale, "Mortar Size": 0.04, "Mortar Smooth": 0.3, "Bias": -1.0}
    settings = {"offset": 0.0, "squash": 1.0}
    return tree.node("ShaderNodeTexBrick", 1, inputs={**inputs, "Row Height": 0.5}, **settings)


DETAILS = {
    "grain": _grain,
    "speckle": _speckle,
    "cells": _cells,
    "bricks": _bricks,
    "stripes": _stripes,
    "dots": _dots,
    "tiles": _tiles,
}


def colour_of(tree: Tree, paint: Paint, look: Look) -> bpy.types.NodeSocket:
    """The colour of `paint` at the rest position."""
    place = tree.node("ShaderNodeAttribute", "Vector", attribute_name=REST)
    noise = tree.node("ShaderNodeTexNoise", inputs={"Vector": place, "Scale": paint.coarse, "Detail": 1.0})
    broad = tree.between(noise, 0.35, 0.65)
    if look == "guide":
        return tree.mix(broad, *paint.guide)
    coarse = tree.mix(broad, *paint.truth[:2])
    detail = DETAILS[paint.detail](tree, place, paint.scale)
    covering = tree.node("ShaderNodeMath", operation="MULTIPLY", inputs={0: detail, 1: paint.strength})
    # A second, finer and weaker grain: no surface is of one colour between the marks of its pattern.
    grit = tree.node("ShaderNodeTexNoise", inputs={"Vector": place, "Scale": 2.7 * paint.scale, "Detail": 1.0})
    grit = tree.node("ShaderNodeMapRange", inputs={0: grit, 1: 0.3, 2: 0.7, 3: 0.82, 4: 1.12})
    spread = tree.node("ShaderNodeCombineXYZ", inputs={0: grit, 1: grit, 2: grit})
    marked = tree.mix(covering, coarse, paint.truth[2])
    return tree.node("ShaderNodeVectorMath", operation="MULTIPLY", inputs={0: marked, 1: spread})


def make_material(paint: Paint, look: Look) -> bpy.types.Material:
    """The material of a paint, made once."""
    if paint.name in bpy.data.materials:
        return bpy.data.materials[paint.name]
    material = bpy.data.materials.new(paint.name)
    material.use_nodes = True
    shader = material.node_tree.nodes["Principled BSDF"]
    tree = Tree(material.node_tree)
    tree.tree.links.new(colour_of(tree, paint, look), shader.inputs["Base Color"])
    shader.inputs["Roughness"].default_value = paint.roughness
    shader.inputs["Metallic"].default_value = paint.metallic
    return material


class Studio:
    """A scene being built in one look."""

    def __init__(self, look: Look) -> None:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        self.look = look
        self.scene = bpy.context.scene
        self._count = 0
        set_up_render(self.scene)

    def add(
        self,
        mesh: bpy.types.Mesh,
        material: Paint | bpy.types.Material,
        location: Sequence[float] = (0, 0, 0),
        turn: float = 0.0,
        name: str = "",
        parent: bpy.types.Object | None = None,
    ) -> bpy.types.Object:
        """Put a mesh into the scene; `turn` is its heading in degrees. Its vertices now become its rest position."""
        self._count += 1
        attribute = mesh.attributes.new(REST, "FLOAT_VECTOR", "POINT")
        # Each object has a place of its own in the pattern: no two show the same detail.
        rest = points(mesh) + np.float32(7.3 * self._count) * np.array([1, 0.37, 0.0], np.float32)
        attribute.data.foreach_set("vector", rest.ravel())
        if isinstance(material, Paint):
            material = make_material(material, self.look)
        mesh.materials.append(material)
        item = bpy.data.objects.new(name or mesh.name, mesh)
        item.location, item.rotation_euler[2], item.parent = location, np.radians(turn), parent
        self.scene.collection.objects.link(item)
        return item

    def shape(self, kind: str, size: float | Sequence[float], material, location=(0, 0, 0), turn=0.0, **more):
        """Add one of the demo's shapes, its size given per axis; it stands on its location."""
        mesh = make_mesh(kind)
        mesh.vertices.foreach_set("co", (points(mesh) * np.broadcast_to(np.float32(size), 3)).ravel())
        return self.add(mesh, material, location, turn, **more)

    def box(self, size: Sequence[float], material, location=(0, 0, 0), turn=0.0, **more):
        """Add a box with sharp edges, standing on its location."""
        x, y, z = (np.array([-0.5, 0.5]) * s for s in size)
        corners = [(a, b, c + size[2] / 2) for c in z for b in y for a in x]
        faces = [(0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5)]
        return self.add(mesh_of("box", corners, faces, smooth=False), material, location, turn, **more)

    def sky(self, guide: Sequence[tuple[float, str]], truth: Sequence[tuple[float, str]], light: str, strength: float):
        """A gradient with clouds as the camera sees it, one even colour as light; stops by height, 0.5 the horizon."""
        world = bpy.data.worlds.new("Sky")
        world.use_nodes = True
        world.node_tree.nodes.clear()
        tree = Tree(world.node_tree)
        direction = tree.node("ShaderNodeTexCoord", "Generated")
        height = tree.node("ShaderNodeSeparateXYZ", 2, inputs={0: direction})
        height = tree.node("ShaderNodeMapRange", inputs={0: height, 1: -1.0, 2: 1.0, 3: 0.0, 4: 1.0})
        seen = tree.ramp(height, guide if self.look == "guide" else truth)
        if self.look == "truth":
            flat = tree.node("ShaderNodeVectorMath", operation="MULTIPLY", inputs={0: direction, 1: (1, 1, 3)})
            cloud = tree.node("ShaderNodeTexNoise", inputs={"Vector": flat, "Scale": 7.0, "Detail": 5.0})
            cover = tree.node("ShaderNodeMapRange", inputs={0: cloud, 1: 0.45, 2: 0.75, 3: 0.0, 4: 0.85})
            seen = tree.mix(cover, seen, "#ffffff")
        eye = tree.node("ShaderNodeLightPath", "Is Camera Ray")
        colour = tree.mix(eye, light, seen)
        power = tree.node("ShaderNodeMapRange", inputs={0: eye, 1: 0.0, 2: 1.0, 3: strength, 4: 1.0})
        background = tree.node("ShaderNodeBackground", inputs={"Color": colour, "Strength": power})
        tree.node("ShaderNodeOutputWorld", slice(0), inputs={"Surface": background})
        self.scene.world = world

    def sun(self, direction: Sequence[float], energy: float, colour: str, angle: float = 1.5) -> None:
        """A sun that shines along `direction` (from there to the origin, reversed); `angle` is its size in degrees."""
        light = bpy.data.lights.new("Sun", "SUN")
        light.energy, light.angle, light.color = energy, np.radians(angle), linear(colour)[:3]
        sun = bpy.data.objects.new("Sun", light)
        sun.rotation_euler = Vector(direction).to_track_quat("Z", "Y").to_euler()
        self.scene.collection.objects.link(sun)

    def camera(self, lens: float, pose: Callable[[float], tuple[Sequence[float], Sequence[float]]]) -> None:
        """A camera whose pose(t) is (where it stands, where it looks), t from 0 to 1 over the shot."""
        data = bpy.data.cameras.new("Camera")
        data.lens, data.sensor_width, data.clip_end = lens, 36, 200
        camera = bpy.data.objects.new("Camera", data)
        self.scene.collection.objects.link(camera)
        self.scene.camera = camera

        def place(t: float) -> None:
            at, target = (Vector(values) for values in pose(t))
            camera.location = at
            camera.rotation_euler = (at - target).to_track_quat("Z", "Y").to_euler()

        animate(place, (camera, "location"), (camera, "rotation_euler"))


def set_up_render(scene: bpy.types.Scene) -> None:
    """Cycles on the processor, denoised, without anything that moves between frames of itself."""
    scene.frame_start, scene.frame_end = 1, FRAMES
    scene.render.fps, scene.render.fps_base = 24, 1.0
    scene.render.engine = "CYCLES"
    scene.render.resolution_x, scene.render.resolution_y = WIDTH, HEIGHT
    scene.render.resolution_percentage = 100
    scene.render.use_persistent_data = True
    scene.view_settings.view_transform = "Standard"
    scene.view_settings.look = "None"
    cycles = scene.cycles
    cycles.device = "CPU"
    cycles.samples = SAMPLES
    cycles.use_adaptive_sampling = False
    # One seed for all frames: what little noise the denoiser leaves stands still.
    cycles.seed, cycles.use_animated_seed = 0, False
    cycles.use_denoising, cycles.denoiser, cycles.denoising_prefilter = True, "OPENIMAGEDENOISE", "NONE"
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 3, 1, 2
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 4.0


def mesh_of(
    name: str, vertices: Sequence[Sequence[float]] | np.ndarray, faces: Iterable[Sequence[int]], *, smooth: bool = True
) -> bpy.types.Mesh:
    """A mesh from vertices (N, 3) and faces."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(np.asarray(vertices, float).tolist(), [], [list(map(int, face)) for face in faces])
    mesh.polygons.foreach_set("use_smooth", np.full(len(mesh.polygons), smooth))
    mesh.update()
    return mesh


def grid_faces(rows: int, columns: int, *, closed: bool = False, first: int = 0) -> list[tuple[int, int, int, int]]:
    """Faces of a grid of vertices in row order; `closed` joins the last column to the first."""
    index = first + np.arange(rows * columns).reshape(rows, columns)
    right = np.roll(index, -1, axis=1)
    last = columns if closed else columns - 1
    corners = np.stack([index[:-1], right[:-1], right[1:], index[1:]], axis=-1)[:, :last]
    return [tuple(face) for face in corners.reshape(-1, 4).tolist()]


def tube(path: np.ndarray, radius: np.ndarray | float, sides: int = 8) -> tuple[np.ndarray, list]:
    """Vertices (N * sides, 3) and faces of a tube along a path (N, 3)."""
    along = np.gradient(path, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    least = np.abs(along).max(axis=0).argmin()
    across = np.cross(along, np.eye(3)[least])
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    up = np.cross(along, across)
    angle = np.arange(sides) * 2 * np.pi / sides
    radius = np.broadcast_to(radius, len(path))[:, None, None]
    ring = across[:, None] * np.cos(angle)[:, None] + up[:, None] * np.sin(angle)[:, None]
    return (path[:, None] + radius * ring).reshape(-1, 3), grid_faces(len(path), sides, closed=True)


def animate(pose: Callable[[float], None], *channels: tuple[bpy.types.bpy_struct, str]) -> None:
    """Key every frame, and the two around the shot: motion vectors look one frame back and one ahead."""
    for frame in range(FRAMES + 2):
        pose((frame - 1) / (FRAMES - 1))
        for owner, path in channels:
            owner.keyframe_insert(path, frame=frame)


def add_keys(item: bpy.types.Object, **shapes: np.ndarray) -> list[bpy.types.ShapeKey]:
    """Give an object shape keys by name from vertices (N, 3); values range over -2 to 2."""
    item.shape_key_add(name="Basis")
    keys = []
    for name, moved in shapes.items():
        key = item.shape_key_add(name=name)
        key.data.foreach_set("co", np.asarray(moved, np.float32).ravel())
        key.slider_min, key.slider_max, key.value = -2.0, 2.0, 0.0
        keys.append(key)
    return keys
