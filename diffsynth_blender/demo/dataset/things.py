"""Single things of the training scenes: shapes as they are, tumbled, deformed or modified, curves, words, toys."""

from __future__ import annotations

import bpy
import numpy as np

from .. import materials, shapes
from .palettes import turned
from .stage import Stage, mesh_of
from .surfaces import metal, plain, random_surface

WORDS = (
    "HELLO", "ART", "BLUE", "TOY", "DREAM", "PLAY", "2026", "ABC", "LOVE", "STAR", "Sun", "Moon", "River", "open",
    "YES", "NO", "A", "B", "R", "S", "K", "7", "3", "?", "!", "&", "Go", "sale", "Cafe", "HOTEL", "ZOO", "Light",
)  # fmt: skip


def place_thing(stage: Stage, x: float, y: float, z: float, size: float) -> None:
    """Put one random thing of about `size` at a place and remember its name."""
    kinds = (_shape, _tumbled, _deformed, _modified, _curve, _word, _stack, make_tree, make_house)
    kind = stage.pick(kinds, p=(0.2, 0.12, 0.14, 0.16, 0.08, 0.08, 0.08, 0.08, 0.06))
    stage.names.append(kind(stage, x, y, z, size))


def _shape(stage: Stage, x: float, y: float, z: float, size: float) -> str:
    shape = stage.pick(shapes.SHAPES)
    material, word = random_surface(stage)
    stage.add(shape, material, (x, y, z), size, rotation=(0, 0, stage.towards_camera(1.2)))
    return word + shapes.CAPTIONS.get(shape, shape)


def _tumbled(stage: Stage, x: float, y: float, z: float, size: float) -> str:
    shape = stage.pick(shapes.SHAPES)
    material, word = random_surface(stage)
    item = stage.add(shape, material, (0, 0, 0), size, rotation=stage.rng.uniform(0, 2 * np.pi, 3))
    corners = shapes.points(item.data) @ np.array(item.rotation_euler.to_matrix()).T * size
    centre = 0.5 * (corners.max(axis=0) + corners.min(axis=0))
    item.location = (x - centre[0], y - centre[1], z - corners[:, 2].min() - 0.01)
    return word + shapes.CAPTIONS.get(shape, shape)


def _deformed(stage: Stage, x: float, y: float, z: float, size: float) -> str:
    shape = stage.pick(("cube", "column", "sphere", "cylinder", "torus", "suzanne", "capsule", "star"))
    change = stage.pick((
        shapes.twist(stage.uniform(-0.35, 0.35)),
        shapes.taper(stage.uniform(0.3, 1.0)),
        shapes.wave(stage.uniform(0.06, 0.14), stage.uniform(0.8, 1.8), stage.uniform(0, 6)),
    ))  # fmt: skip
    material, word = random_surface(stage)
    mesh = shapes.deformed(stage.meshes[shape], "deformed", change)
    stage.add(
        mesh, material, (x, y, z), (size, size, size * stage.uniform(0.7, 1.4)), rotation=(0, 0, stage.uniform(0, 6.3))
    )
    return f"wavy {word}{shapes.CAPTIONS.get(shape, shape)}"


def _modified(stage: Stage, x: float, y: float, z: float, size: float) -> str:
    shape = stage.pick(("cube", "sphere", "suzanne", "icosphere", "gem", "torus", "star", "pyramid"))
    noise = bpy.data.textures.get("lumps") or bpy.data.textures.new("lumps", "CLOUDS")
    noise.noise_scale = stage.uniform(0.2, 0.5)
    thick, angle, apart = stage.uniform(0.03, 0.07), stage.uniform(0.6, 1.6), stage.uniform(0.9, 1.4)
    lumps = {"texture": noise, "strength": stage.uniform(0.2, 0.5)}
    row = {"count": stage.pick((2, 3, 4)), "relative_offset_displace": (apart, 0, 0)}
    kind, modifiers = stage.pick((
        ("wire", [("WIREFRAME", {"thickness": thick})]),
        ("blocky", [("REMESH", {"mode": "BLOCKS", "octree_depth": stage.pick((3, 4))})]),
        ("lumpy", [("SUBSURF", {"levels": 2}), ("DISPLACE", lumps)]),
        ("bent", [("SUBSURF", {"levels": 1}), ("SIMPLE_DEFORM", {"deform_method": "BEND", "angle": angle})]),
        ("row of", [("ARRAY", row)]),
        ("faceted", [("DECIMATE", {"ratio": stage.uniform(0.06, 0.2)})]),
    ))  # fmt: skip
    data = stage.meshes["icosphere" if kind == "wire" and shape in ("cube", "sphere") else shape]
    mesh = mesh_of(data, modifiers)
    if kind in ("blocky", "faceted", "wire"):
        mesh.polygons.foreach_set("use_smooth", np.zeros(len(mesh.polygons), bool))
    material, word = random_surface(stage)
    stage.add(mesh, material, (x, y, z), size * 1.15, rotation=(0, 0, stage.towards_camera(0.8)))
    return f"{kind} {word}{shapes.CAPTIONS.get(shape, shape)}" + ("s" if kind == "row of" else "")


def _curve(stage: Stage, x: float, y: float, z: float, size: float) -> str:
    t = np.linspace(0, 1, 80)
    turns = stage.uniform(2.5, 5)
    angle = 2 * np.pi * t
    wound = np.stack([np.cos(turns * angle), np.sin(turns * angle)])
    trefoil = (
        np.sin(angle) + 2 * np.sin(2 * angle), np.cos(angle) - 2 * np.cos(2 * angle), -np.sin(3 * angle),
    )  # fmt: skip
    name, path = stage.pick((
        ("spring", (0.4 * wound[0], 0.4 * wound[1], 1.1 * t)),
        ("spiral", (0.5 * t * wound[0], 0.15 * t, 0.5 + 0.5 * t * wound[1])),
        ("knot", trefoil),
        ("arch", (0.5 * np.cos(np.pi * t), 0 * t, np.sin(np.pi * t))),
        ("wave of wire", (1.2 * t - 0.6, 0.1 * np.cos(2 * angle), 0.4 + 0.3 * wound[1])),
    ))  # fmt: skip
    points = np.stack(path, axis=1) * (0.2 if name == "knot" else 1.0)
    data = bpy.data.curves.new(name, "CURVE")
    data.dimensions, data.bevel_depth, data.bevel_resolution = "3D", stage.uniform(0.03, 0.1), 3
    data.use_fill_caps = True
    spline = data.splines.new("POLY")
    spline.points.add(len(points) - 1)
    spline.points.foreach_set("co", np.c_[points, np.ones(len(points))].ravel())
    spline.use_cyclic_u = name == "knot"
    mesh = mesh_of(data)
    mesh.polygons.foreach_set("use_smooth", np.ones(len(mesh.polygons), bool))
    material, word = random_surface(stage)
    stage.add(mesh, material, (x, y, z), size * 1.2, rotation=(0, 0, stage.towards_camera(0.9)))
    return word + name


def _word(stage: Stage, x: float, y: float, z: float, size: float) -> str:
    text = stage.pick(WORDS)
    data = bpy.data.curves.new("text", "FONT")
    data.body, data.extrude, data.bevel_depth, data.resolution_u = text, stage.uniform(0.08, 0.25), 0.015, 4
    data.align_x = "CENTER"
    mesh = mesh_of(data)
    upright = shapes.deformed(mesh, "text", lambda p: np.stack([p[:, 0], -p[:, 2], p[:, 1]], axis=1))
    material, word = random_surface(stage)
    wide = size * (1.3 if len(text) == 1 else 2.0)
    stage.add(upright, material, (x, y, z), wide, rotation=(0, 0, stage.towards_camera(0.5)))
    return f"{word}letter {text}" if len(text) == 1 else f"{word}letters {text}"


def _stack(stage: Stage, x: float, y: float, z: float, size: float) -> str:
    for level in range(stage.pick((2, 3))):
        part = stage.pick(("cube", "cylinder", "torus", "star", "sphere")[: 5 if level else 4])
        item = stage.add(part, random_surface(stage)[0], (x, y, z - 0.01), size, rotation=(0, 0, stage.uniform(0, 6.3)))
        z += size * float(shapes.points(item.data)[:, 2].max())
        size *= stage.uniform(0.6, 0.85)
    return "stack"


def make_tree(stage: Stage, x: float, y: float, z: float, size: float) -> str:
    """A round tree or a fir; returns its name."""
    trunk = materials.surface("trunk", "wood", ("#5b3a21", "#7d5230"), scale=2.0, roughness=0.8)
    natural = [turned(stage.rng, c) for c in ("#2f7d32", "#6aa84f", "#4c9a41")]
    greens = natural if stage.chance(0.75) else stage.palette[:3]
    leaves = materials.surface("leaves", stage.pick(("plain", "noise")), greens, roughness=0.8)
    stage.add("cylinder", trunk, (x, y, z), (0.28 * size, 0.28 * size, 0.73 * size))
    if stage.chance(0.5):
        stage.add(stage.pick(("sphere", "icosphere")), leaves, (x, y, z + 0.5 * size), size)
        return "round tree"
    for level in range(3):
        width = (1.1 - 0.25 * level) * size
        stage.add("cone", leaves, (x, y, z + (0.4 + 0.42 * level) * size), (width, width, 0.75 * width))
    return "fir tree"


def make_house(stage: Stage, x: float, y: float, z: float, size: float) -> str:
    """A house with a door and windows; returns its name."""
    turn = stage.towards_camera(0.9)
    place = stage.group(x, y, z, size, turn)
    walls, word = random_surface(stage)
    dark, frame = plain(stage, "#35506b", 0.15), metal("#d8d8d8", 0.4)
    place("block", walls, (0, 0, 0), (0.9, 0.8, stage.uniform(0.6, 1.0)))
    height = stage.scene.collection.objects[-1].scale.z / size
    roof = plain(stage, stage.palette[0])
    place("pyramid", roof, (0, 0, height), (1.15, 1.05, 0.6), (0, 0, np.pi / 4))
    place("block", plain(stage, stage.palette[1]), (-0.18, -0.4, 0), (0.2, 0.04, 0.38))
    for across in (0.0, 0.26) if stage.chance(0.5) else (0.2,):
        place("block", frame, (across + 0.02, -0.4, 0.3), (0.2, 0.03, 0.22))
        place("block", dark, (across + 0.02, -0.41, 0.32), (0.16, 0.03, 0.18))
    return f"{word}house"
