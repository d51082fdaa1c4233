"""Deforming: a windy garden. Everything bends, and much of it is thin: grass, cables, a mane, cloth on a line.

A long-necked creature is skinned to a chain of bones, jelly bounces by shape keys, cloth waves by modifier, grass and
cables sway by pairs of shape keys a quarter of a period apart.
"""

from __future__ import annotations

import bpy
import numpy as np

from .studio import FRAMES, Look, Paint, Studio, add_keys, animate, grid_faces, mesh_of, tube

LAWN = Paint("Lawn", ("#8f9c6a", "#a0ab78"), ("#5d6f8a", "#7386a0", "#c9d4dd"), "speckle", 4.5, 0.6, 0.9)
GRASS = Paint("Grass", ("#5f9a4c", "#79ad58"), ("#b5533c", "#d07a4f", "#f0cf8a"), "stripes", 26.0, 1.2, 0.7)
SKIN = Paint("Skin", ("#d9a066", "#cc9257"), ("#4f9f8f", "#63b39f", "#1e4a52"), "cells", 9.0, 1.5, 0.5)
MANE = Paint("Mane", ("#7a4a32", "#8a5a3e"), ("#e2b64a", "#efcf73", "#8a4a1f"), "stripes", 44.0, 3.0, 0.6)
EYE = Paint("Eye", ("#26282e", "#303238"), ("#1a1c22", "#25272d", "#3a3d45"), "speckle", 9.0, 1.0, 0.2)
JELLY = Paint("Jelly", ("#c05a8c", "#cf709d"), ("#e8d8b8", "#f2e6cc", "#a5483f"), "dots", 8.0, 2.0, 0.25)
CLOTH = Paint("Cloth", ("#e4e2da", "#d6d4cc"), ("#c2455a", "#d05f72", "#f4e3c2"), "tiles", 5.0, 1.0, 0.8)
SHEET = Paint("Sheet", ("#8fb0d0", "#9dbcd9"), ("#e0c060", "#ecd080", "#5a6f3a"), "cells", 7.0, 1.0, 0.8)
POST = Paint("Post", ("#9c8468", "#8f785d"), ("#dfe3e6", "#cbd2d6", "#56707f"), "grain", 16.0, 2.0, 0.7)
CABLE = Paint("Cable", ("#35373d", "#3f4148"), ("#7a3f8f", "#8f55a3", "#f0d98a"), "stripes", 40.0, 2.0, 0.5)
HEDGE = Paint("Hedge", ("#6f8f72", "#7d9c7d"), ("#8a5f8f", "#9d74a0", "#4d2f58"), "speckle", 5.0, 0.8, 0.9)
WALL = Paint("Wall", ("#cbbfa9", "#bdb19b"), ("#4f5f73", "#5d6e83", "#c5ced8"), "bricks", 2.2, 0.8, 0.8)


def build(look: Look) -> bpy.types.Scene:
    """Build the scene in one look."""
    studio = Studio(look)
    studio.sky(
        [(0.0, "#8ea5b5"), (0.5, "#e6ecdf"), (0.62, "#b6d3e2"), (1.0, "#6f9cc6")],
        [(0.0, "#8f7d72"), (0.5, "#d7e3f2"), (0.62, "#8fb0d8"), (1.0, "#3a4f8a")],
        "#d6e2f0",
        0.6,
    )
    studio.sun((-0.5, -0.7, 0.8), 3.0, "#fff0d6")
    plane = [(-40, -12, 0), (40, -12, 0), (40, 60, 0), (-40, 60, 0)]
    studio.add(mesh_of("Lawn", plane, [(0, 1, 2, 3)]), LAWN)
    studio.box((30, 0.3, 1.05), WALL, (0, 4.6, 0), name="Wall")
    for x, size in ((-6.5, 2.4), (-3.6, 3.0), (-0.4, 2.3), (2.6, 2.9), (5.8, 2.5)):
        studio.shape("dome", (size, size * 0.8, size * 0.8), HEDGE, (x, 6.2, 0), 40 * x)
    _add_grass(studio)
    _add_creature(studio)
    _add_jelly(studio)
    _add_line(studio)
    studio.camera(
        36,
        lambda t: ((-0.75 + 1.3 * t, -5.6 + 0.3 * t, 1.35 + 0.2 * t), (-0.15 + 0.35 * t, 0.4, 0.92)),
    )
    return studio.scene


def _sway(item: bpy.types.Object, cosine: np.ndarray, sine: np.ndarray, turns: float, start: float = 0.0) -> None:
    """Move a mesh by two displacements (N, 3) a quarter of a period apart: each vertex sways in its own phase."""
    rest = np.array([vertex.co for vertex in item.data.vertices], np.float32)
    keys = add_keys(item, Cosine=rest + cosine, Sine=rest + sine)

    def pose(t: float) -> None:
        angle = 2 * np.pi * turns * t + start
        keys[0].value, keys[1].value = np.cos(angle), np.sin(angle)

    animate(pose, (keys[0], "value"), (keys[1], "value"))


def _add_grass(studio: Studio) -> None:
    """Blades in tufts, in one mesh; gusts run through it from the left."""
    rng = np.random.default_rng(4)
    tufts = np.concatenate(
        [
            np.stack([rng.uniform(-3.2, 3.2, 34), rng.uniform(-2.6, -1.5, 34)], axis=1),
            np.stack([rng.uniform(-4.5, 4.5, 40), rng.uniform(1.6, 3.8, 40)], axis=1),
            np.stack([rng.uniform(-3.8, 3.8, 26), rng.uniform(-1.0, 1.2, 26)], axis=1),
        ]
    )
    roots = np.repeat(tufts, 9, axis=0) + rng.normal(0, 0.09, (len(tufts) * 9, 2))
    _blades(studio, GRASS, roots, rng)


def _blades(studio: Studio, paint: Paint, roots: np.ndarray, rng: np.random.Generator) -> None:
    joints = 6
    height = np.linspace(0, 1, joints)
    count = len(roots)
    tall = rng.uniform(0.28, 0.62, count)
    wide = rng.uniform(0.022, 0.036, count)
    lean = rng.uniform(-0.35, 0.35, (count, 2))
    heading = rng.uniform(-0.5, 0.5, count)
    middle = np.zeros((count, joints, 3))
    middle[..., :2] = roots[:, None] + (lean * tall[:, None])[:, None] * (height**2)[:, None]
    middle[..., 2] = tall[:, None] * height
    side = np.stack([np.cos(heading), np.sin(heading), np.zeros(count)], axis=1) * wide[:, None] / 2
    spread = side[:, None] * (1 - 0.75 * height**2)[:, None]
    vertices = np.stack([middle - spread, middle + spread], axis=2).reshape(-1, 3)
    faces = [face for blade in range(count) for face in grid_faces(joints, 2, first=blade * joints * 2)]
    item = studio.add(mesh_of("Grass", vertices, faces), paint)
    phase = 1.9 * roots[:, 0] + 0.8 * roots[:, 1] + rng.normal(0, 0.35, count)
    reach = (tall * rng.uniform(0.16, 0.3, count))[:, None] * height**2
    bend = np.stack([reach, 0.35 * reach, -0.35 * reach], axis=-1)
    cosine, sine = (
        np.repeat((bend * wave(phase)[:, None, None])[:, :, None], 2, axis=2).reshape(-1, 3)
        for wave in (np.cos, np.sin)
    )
    _sway(item, cosine, sine, turns=1.3)


def _add_creature(studio: Studio) -> None:
    """A neck with a head, a mane of strips and two feelers, skinned to a chain of five bones."""
    height = np.linspace(0, 1, 41)
    neck = np.stack([0.28 * np.sin(2.2 * height), np.zeros(41), 1.75 * height], axis=1)
    vertices, faces = tube(neck, 0.30 - 0.17 * height + 0.05 * np.sin(9 * height), 28)
    levels = np.repeat(height, 28)
    rng = np.random.default_rng(7)
    parts = [(vertices, faces, SKIN, levels)]
    strips, strip_faces, strip_levels = [], [], []
    for strand in range(110):
        level = rng.uniform(0.25, 1.0)
        root = np.array([0.28 * np.sin(2.2 * level), 0.0, 1.75 * level])
        angle = rng.normal(np.pi, 0.75)
        out = np.array([np.cos(angle), np.sin(angle), rng.uniform(-0.2, 0.25)])
        s = np.linspace(0, 1, 6)[:, None]
        length = rng.uniform(0.28, 0.5)
        path = root + out * (0.10 + length * s) + np.array([0, 0, -0.45 * length]) * s**2
        across = np.array([0, 0, 1.0]) * 0.014 * (1 - 0.6 * s) + np.array([-out[1], out[0], 0]) * 0.01
        strips.append(np.stack([path - across, path + across], axis=1).reshape(-1, 3))
        strip_faces += grid_faces(6, 2, first=strand * 12)
        strip_levels.append(np.full(12, level))
    parts.append((np.concatenate(strips), strip_faces, MANE, np.concatenate(strip_levels)))
    crown = neck[-1]
    for side in (-1, 1):
        s = np.linspace(0, 1, 12)[:, None]
        path = crown + np.array([0.1, 0.09 * side, 0.12]) + s * [0.12, 0.16 * side, 0.42] + s**2 * [0.16, 0.1 * side, 0]
        feeler, feeler_faces = tube(path, 0.013, 6)
        parts.append((feeler, feeler_faces, MANE, np.ones(len(feeler))))
    rig = _add_rig(studio, neck)
    for place, (points, some_faces, paint, levels) in enumerate(parts):
        item = studio.add(mesh_of(f"Creature {place}", points, some_faces), paint, parent=rig)
        _skin(item, rig, levels)
    head = studio.shape("sphere", (0.52, 0.34, 0.32), SKIN, crown + np.array([0.1, 0, -0.08]), parent=rig)
    _skin(head, rig, np.ones(len(head.data.vertices)))
    for side in (-0.12, 0.12):
        eye = studio.shape("sphere", 0.09, EYE, crown + np.array([0.2, side - 0.02, 0.11]), parent=rig)
        _skin(eye, rig, np.ones(len(eye.data.vertices)))


BONES = 5


def _add_rig(studio: Studio, neck: np.ndarray) -> bpy.types.Object:
    """A chain of bones along the neck, each swinging later than the one below."""
    armature = bpy.data.armatures.new("Rig")
    rig = bpy.data.objects.new("Rig", armature)
    rig.location = (-0.85, 0.15, 0)
    studio.scene.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    joints = neck[np.linspace(0, len(neck) - 1, BONES + 1).astype(int)]
    for place in range(BONES):
        bone = armature.edit_bones.new(f"Bone {place}")
        bone.head, bone.tail = joints[place], joints[place + 1]
        bone.parent = armature.edit_bones.get(f"Bone {place - 1}")
    bpy.ops.object.mode_set(mode="OBJECT")
    bones = [rig.pose.bones[f"Bone {place}"] for place in range(BONES)]

    def pose(t: float) -> None:
        for place, bone in enumerate(bones):
            bone.rotation_mode = "XYZ"
            angle = 2 * np.pi * 1.1 * t - 0.7 * place
            bone.rotation_euler = (0.15 * np.sin(angle + 1.0), 0.10 * np.sin(angle), 0.24 * np.sin(angle))

    animate(pose, *((bone, "rotation_euler") for bone in bones))
    return rig


def _skin(item: bpy.types.Object, rig: bpy.types.Object, levels: np.ndarray) -> None:
    """Weigh vertices by their level along the chain (0 to 1), each between two bones."""
    place = np.clip(levels * BONES - 0.5, 0, BONES - 1)
    for bone in range(BONES):
        group = item.vertex_groups.new(name=f"Bone {bone}")
        weights = np.clip(1 - np.abs(place - bone), 0, 1)
        for vertex in np.flatnonzero(weights):
            group.add([int(vertex)], float(weights[vertex]), "REPLACE")
    modifier = item.modifiers.new("Skin", "ARMATURE")
    modifier.object = rig


def _add_jelly(studio: Studio) -> None:
    """Two drops that bounce: squashed and stretched by a shape key, jumping as they do."""
    for x, y, size, late in ((0.75, -0.55, 0.62, 0.0), (1.75, 0.75, 0.8, 0.35)):
        item = studio.shape("sphere", size, JELLY, (x, y, 0))
        rest = np.array([vertex.co for vertex in item.data.vertices], np.float32)
        flat = rest * np.float32([1.25, 1.25, 0.66])
        lean = rest + np.float32([0.32, 0.1, 0]) * (rest[:, 2:] / size) ** 2
        squash, tilt = add_keys(item, Squash=flat, Tilt=lean)

        def pose(t: float, item=item, squash=squash, tilt=tilt, size=size, late=late, x=x) -> None:
            angle = 2 * np.pi * (1.4 * t + late)
            squash.value = 0.8 * np.cos(angle)
            tilt.value = 0.8 * np.sin(0.5 * angle)
            item.location[2] = 0.28 * size * max(0.0, -np.cos(angle)) ** 2
            item.location[0] = x + 0.12 * np.sin(0.5 * angle)

        animate(pose, (squash, "value"), (tilt, "value"), (item, "location"))


def _add_line(studio: Studio) -> None:
    """Two posts with three sagging cables, and cloth hung on the lowest."""
    left, right, y = -3.1, 3.3, 1.35
    for x in (left, right):
        studio.shape("cylinder", (0.2, 0.2, 2.5), POST, (x, y, 0))
        studio.box((0.08, 1.0, 0.08), POST, (x, y, 2.0), name="Arm")
    s = np.linspace(0, 1, 49)
    arc = 4 * s * (1 - s)
    for place, (dy, top, sag) in enumerate(((-0.42, 2.02, 0.30), (0.0, 2.2, 0.42), (0.42, 2.02, 0.36))):
        path = np.stack([left + (right - left) * s, np.full(49, y + dy), top - sag * arc], axis=1)
        vertices, faces = tube(path, 0.017, 6)
        item = studio.add(mesh_of("Cable", vertices, faces), CABLE)
        swing = np.repeat(arc, 6)[:, None]
        _sway(item, swing * [0, 0.16, 0.03], swing * [0.02, 0.05, 0.09], turns=1.0, start=1.3 * place)
    for x, width, height, paint in ((0.55, 0.95, 0.85, CLOTH), (1.75, 0.8, 0.62, SHEET), (-2.1, 0.75, 0.7, SHEET)):
        _hang_cloth(studio, paint, (x, y - 0.02), width, height)


def _hang_cloth(studio: Studio, paint: Paint, place: tuple[float, float], width: float, height: float) -> None:
    """Cloth fixed at its upper edge: a wave modifier runs along it, two shape keys blow it out."""
    rows, columns = 36, 40
    down, along = np.meshgrid(np.linspace(0, 1, rows), np.linspace(0, 1, columns), indexing="ij")
    flat = np.stack([(along - 0.5) * width, down * height, np.zeros_like(down)], axis=-1).reshape(-1, 3)
    item = studio.add(mesh_of("Cloth", flat, grid_faces(rows, columns)), paint, (*place, 1.72))
    item.rotation_euler = (-np.pi / 2, 0, 0)
    free = down.reshape(-1)
    group = item.vertex_groups.new(name="Free")
    for vertex, weight in enumerate(free):
        group.add([vertex], float(weight), "REPLACE")
    out = free**1.5 * height
    billow = np.sin(np.pi * along.reshape(-1)) * 0.6 + 0.4
    _sway(
        item,
        np.stack([0.06 * out, -0.05 * out, 0.34 * out * billow], axis=1),
        np.stack([-0.05 * out, -0.02 * out, 0.22 * out * np.sin(5 * along.reshape(-1))], axis=1),
        turns=1.2,
        start=place[0],
    )
    wave = item.modifiers.new("Wave", "WAVE")
    wave.use_x, wave.use_y, wave.use_cyclic = True, True, True
    wave.time_offset, wave.speed, wave.height, wave.width, wave.narrowness = -4.0 * FRAMES, 0.02, 0.09, 0.35, 4.0
    wave.vertex_group = "Free"
