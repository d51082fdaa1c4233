"""Where a random scene is put together: Blender's scene, the random numbers, and what has been put in so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import bpy
import numpy as np
from mathutils import Euler, Vector

from .. import materials, shapes
from .palettes import PALETTES, turned

T = TypeVar("T")
Place = Callable[..., bpy.types.Object]


class Stage:
    """A Blender scene that one random scene after another is put on.

    Attributes:
        rng: Random numbers of the scene that is being made; a scene is a function of its number.
        palette: Five sRGB colours that suit each other.
        facing: Azimuth that the camera will look from [rad].
        height: Of the ground at (x, y).
        taken: (x, y, radius) of what stands on the ground: where the camera looks, and where nothing else may stand.
        names: What has been put in, in words.
        place: What it stands on or in, in words.
        light: One of light.KINDS.
        to_light: Unit vector towards the light that throws the shadows.
        sky: Its name; empty in a studio.
        view: Words for what is unusual about the camera.
    """

    def __init__(self, scene: bpy.types.Scene) -> None:
        """Make the template meshes, which all scenes share."""
        self.scene = scene
        self.meshes = {shape: shapes.make_mesh(shape) for shape in (*shapes.SHAPES, "hill")}
        self.meshes["block"] = _block()
        self._kept = set(self.meshes.values())

    def begin(self, number: int) -> None:
        """Remove everything but the template meshes and start on scene `number`."""
        bpy.data.batch_remove([
            *bpy.data.objects, *bpy.data.materials, *bpy.data.worlds, *bpy.data.lights, *bpy.data.cameras,
            *bpy.data.curves, *(mesh for mesh in bpy.data.meshes if mesh not in self._kept),
        ])  # fmt: skip
        self.rng = np.random.default_rng([2026, number])
        self._index = materials.GROUND_INDEX
        # Every colour is a little off its palette's, so that no combination is learnt by heart.
        self.palette = [turned(self.rng, colour) for colour in self.pick(PALETTES)]
        self.facing = float(self.rng.uniform(0, 2 * np.pi))
        self.height: Callable[[float, float], float] = lambda x, y: 0.0
        self.taken: list[tuple[float, float, float]] = []
        self.names: list[str] = []
        self.place = self.light = self.sky = ""
        self.view: list[str] = []
        self.to_light = Vector((0.0, 0.0, 1.0))

    def pick(self, items: Sequence[T], p: Sequence[float] | None = None) -> T:
        """One of some items, with probabilities if they are not alike."""
        return items[int(self.rng.choice(len(items), p=p))]

    def uniform(self, low: float, high: float) -> float:
        """A number between two."""
        return float(self.rng.uniform(low, high))

    def chance(self, share: float) -> bool:
        """True in that share of cases."""
        return bool(self.rng.random() < share)

    def add(
        self,
        shape: str | bpy.types.Mesh,
        material: bpy.types.Material,
        location: Sequence[float],
        size: float | Sequence[float],
        *,
        rotation: Sequence[float] = (0.0, 0.0, 0.0),
        index: int | None = None,
    ) -> bpy.types.Object:
        """Put a template or another mesh into the scene; every object gets an index of its own unless one is given."""
        mesh = self.meshes[shape] if isinstance(shape, str) else shape
        item = bpy.data.objects.new(mesh.name, mesh)
        item.location, item.rotation_euler = location, rotation
        item.scale = (size,) * 3 if isinstance(size, int | float) else size
        if index is None:
            self._index += 1
            index = self._index
        item.pass_index = index
        # Templates are shared: the material belongs to the object, not to the mesh.
        if not item.data.materials:
            item.data.materials.append(None)
        item.material_slots[0].link = "OBJECT"
        item.material_slots[0].material = material
        self.scene.collection.objects.link(item)
        return item

    def group(self, x: float, y: float, z: float, size: float, turn: float) -> Place:
        """A function like `add` whose locations and sizes are those of a thing of size 1 that stands at (x, y, z)."""

        def place(
            shape: str | bpy.types.Mesh,
            material: bpy.types.Material,
            at: Sequence[float],
            part: float | Sequence[float],
            tilt: Sequence[float] = (0.0, 0.0, 0.0),
        ) -> bpy.types.Object:
            offset = Vector(at) * size
            offset.rotate(Euler((0.0, 0.0, turn)))
            scale = [size * value for value in ((part,) * 3 if isinstance(part, int | float) else part)]
            rotation = Euler(tilt)
            rotation.rotate(Euler((0.0, 0.0, turn)))
            return self.add(shape, material, Vector((x, y, z)) + offset, scale, rotation=rotation)

        return place

    def find_place(self, spread: float, radius: float) -> tuple[float, float] | None:
        """A free place for a thing of some radius, remembered as taken; None where a few tries find none."""
        for _ in range(8):
            x, y = (float(value) for value in self.rng.normal(0, spread, 2))
            if all(np.hypot(x - u, y - v) > 0.92 * (radius + r) for u, v, r in self.taken):
                self.taken.append((x, y, radius))
                return x, y
        return None

    def towards_camera(self, spread: float) -> float:
        """An angle by which a thing whose front is -y is turned to face the camera, give or take [rad]."""
        return self.facing + np.pi / 2 + self.uniform(-spread, spread)


def mesh_of(data: bpy.types.ID, modifiers: Sequence[tuple[str, dict[str, object]]] = ()) -> bpy.types.Mesh:
    """The mesh that a mesh, curve or text becomes under modifiers (type, settings), on z = 0, one unit across."""
    item = bpy.data.objects.new("made", data)
    bpy.context.scene.collection.objects.link(item)
    for kind, settings in modifiers:
        modifier = item.modifiers.new(kind, kind)
        for name, value in settings.items():
            setattr(modifier, name, value)
    graph = bpy.context.evaluated_depsgraph_get()
    graph.update()
    mesh = bpy.data.meshes.new_from_object(item.evaluated_get(graph), depsgraph=graph)
    bpy.data.objects.remove(item)
    mesh.materials.clear()
    points = shapes.points(mesh)
    low, high = points.min(axis=0), points.max(axis=0)
    points = (points - [*(low + high)[:2] / 2, low[2]]) / max(float((high - low).max()), 1e-6)
    mesh.vertices.foreach_set("co", points.astype(np.float32).ravel())
    mesh.update()
    return mesh


def _block() -> bpy.types.Mesh:
    """A box with sharp edges and sides of 1 on z = 0, for walls and boards."""
    corners = [(x, y, z) for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (0.0, 1.0)]
    faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    mesh = bpy.data.meshes.new("block")
    mesh.from_pydata(corners, [], faces)
    mesh.update()
    return mesh
