"""Meshes of the demo scene and of the training scenes, built from vertices; no operators, so no selection or context.

Every mesh stands on z = 0, about one unit high, centred on the z axis.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import bmesh
import bpy
import numpy as np

SHAPES = (
    *("sphere", "cube", "torus", "cone", "cylinder", "suzanne", "icosphere"),
    *("pyramid", "capsule", "ring", "column", "star", "dome", "gem"),
)
CAPTIONS = {"suzanne": "monkey head", "cube": "cube", "icosphere": "faceted ball", "dome": "dome", "star": "star prism"}


def _torus(mesh: bmesh.types.BMesh, tube: float) -> None:
    """Sweep a circle of radius `tube` around a circle of radius 0.5 - tube in the xy plane."""
    around, across = 48, 20
    u, v = np.meshgrid(np.arange(around) * 2 * np.pi / around, np.arange(across) * 2 * np.pi / across, indexing="ij")
    radius = (0.5 - tube) + tube * np.cos(v)
    points = np.stack([radius * np.cos(u), radius * np.sin(u), tube * np.sin(v)], axis=-1)
    rows = [[mesh.verts.new(point) for point in row] for row in points]
    for i in range(around):
        for j in range(across):
            k, m = (i + 1) % around, (j + 1) % across
            mesh.faces.new((rows[i][j], rows[k][j], rows[k][m], rows[i][m]))


def _lathe(
    mesh: bmesh.types.BMesh, profile: np.ndarray, segments: int, modulation: Callable[[np.ndarray], np.ndarray]
) -> None:
    """Turn a profile of (radius, height) rows around z; `modulation(angle)` scales the radius."""
    angles = np.arange(segments) * 2 * np.pi / segments
    wobble = modulation(angles)
    rings = [
        [mesh.verts.new((r * w * np.cos(a), r * w * np.sin(a), z)) for a, w in zip(angles, wobble, strict=True)]
        for r, z in profile
    ]
    for lower, upper in pairwise(rings):
        for i in range(segments):
            k = (i + 1) % segments
            mesh.faces.new((lower[i], lower[k], upper[k], upper[i]))
    mesh.faces.new(rings[0][::-1])
    mesh.faces.new(rings[-1])


def _round(mesh: bmesh.types.BMesh, offset: float) -> None:
    """Round every edge."""
    bmesh.ops.bevel(
        mesh, geom=mesh.edges[:], offset=offset, segments=3, profile=0.5, affect="EDGES", clamp_overlap=True
    )


def make_mesh(shape: str) -> bpy.types.Mesh:
    """A new mesh of one of SHAPES, or "hill" (a smooth mound)."""
    mesh = bmesh.new()
    smooth = True
    even = np.ones_like
    if shape == "sphere":
        bmesh.ops.create_uvsphere(mesh, u_segments=48, v_segments=24, radius=0.5)
    elif shape == "cube":
        bmesh.ops.create_cube(mesh, size=0.85)
        bmesh.ops.subdivide_edges(mesh, edges=mesh.edges[:], cuts=9, use_grid_fill=True)
        for vertex in mesh.verts:
            # A rounded box: the grid's points are pulled towards an inner box and pushed out by the radius.
            inner = np.clip(vertex.co, -0.355, 0.355)
            offset = np.asarray(vertex.co) - inner
            length = np.linalg.norm(offset)
            if length > 0:
                vertex.co = inner + offset * (0.07 / length)
    elif shape == "torus":
        _torus(mesh, 0.15)
    elif shape == "ring":
        _torus(mesh, 0.07)
    elif shape == "cone":
        height = np.linspace(0, 1, 13)
        _lathe(mesh, np.stack([0.45 * (1 - height) + 0.012, height], axis=1), 48, even)
    elif shape == "cylinder":
        profile = [(0.37, 0.0), (0.4, 0.03), *[(0.4, z) for z in np.linspace(0.1, 0.8, 8)], (0.4, 0.87), (0.37, 0.9)]
        _lathe(mesh, np.array(profile), 48, even)
    elif shape == "pyramid":
        bmesh.ops.create_cone(mesh, cap_ends=True, segments=4, radius1=0.6, radius2=0.02, depth=0.9)
        _round(mesh, 0.03)
        smooth = False
    elif shape == "capsule":
        turn = np.linspace(-np.pi / 2, np.pi / 2, 13)
        profile = np.stack([0.28 * np.cos(turn) + 0.002, 0.28 * np.sin(turn) + np.sign(turn) * 0.22], axis=1)
        _lathe(mesh, profile, 40, even)
    elif shape == "column":
        profile = np.stack([np.full(25, 0.3), np.linspace(0, 1.3, 25)], axis=1)
        _lathe(mesh, profile, 64, lambda angle: 1 + 0.18 * np.cos(4 * angle))
    elif shape == "star":
        profile = np.array([(0.42, 0.0), (0.46, 0.04), (0.46, 0.2), (0.46, 0.36), (0.42, 0.4)])
        _lathe(mesh, profile, 80, lambda angle: 1 + 0.3 * np.cos(5 * angle))
    elif shape == "dome":
        turn = np.linspace(0, np.pi / 2, 14)
        _lathe(mesh, np.stack([0.5 * np.cos(turn) + 0.002, 0.5 * np.sin(turn)], axis=1), 48, even)
    elif shape == "hill":
        height = np.linspace(0, np.pi, 24)
        _lathe(mesh, np.stack([np.linspace(1.0, 0.004, 24), 0.5 - 0.5 * np.cos(height)], axis=1), 48, even)
    elif shape == "gem":
        _lathe(mesh, np.array([(0.05, 0.0), (0.45, 0.5), (0.45, 0.58), (0.28, 0.8)]), 8, even)
        smooth = False
    elif shape == "icosphere":
        bmesh.ops.create_icosphere(mesh, subdivisions=2, radius=0.5)
        smooth = False
    elif shape == "suzanne":
        bmesh.ops.create_monkey(mesh)
        bmesh.ops.subdivide_edges(mesh, edges=mesh.edges[:], cuts=1, smooth=0.8, use_grid_fill=True)
        for vertex in mesh.verts:
            vertex.co *= 0.5
    else:
        raise ValueError(f"there is no shape {shape!r}; there are: {', '.join((*SHAPES, 'hill'))}")
    low = min(vertex.co.z for vertex in mesh.verts)
    for vertex in mesh.verts:
        vertex.co.z -= low
    bmesh.ops.recalc_face_normals(mesh, faces=mesh.faces[:])
    for face in mesh.faces:
        # Flat caps stay flat: only small faces belong to curved walls.
        face.smooth = smooth and len(face.verts) <= 4
    data = bpy.data.meshes.new(shape)
    mesh.to_mesh(data)
    mesh.free()
    return data


def points(mesh: bpy.types.Mesh) -> np.ndarray:
    """The mesh's vertices, float32 (N, 3)."""
    values = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", values)
    return values.reshape(-1, 3)


def deformed(mesh: bpy.types.Mesh, name: str, change: Callable[[np.ndarray], np.ndarray]) -> bpy.types.Mesh:
    """A copy of the mesh with its vertices moved by `change(points) -> points`, standing on z = 0 again."""
    copy = mesh.copy()
    copy.name = name
    moved = np.asarray(change(points(mesh)), np.float32)
    moved[:, 2] -= moved[:, 2].min()
    copy.vertices.foreach_set("co", moved.ravel())
    copy.update()
    return copy


def twist(turns: float) -> Callable[[np.ndarray], np.ndarray]:
    """Turn by `turns` of a full circle a unit of height."""

    def change(p: np.ndarray) -> np.ndarray:
        angle = 2 * np.pi * turns * p[:, 2]
        c, s = np.cos(angle), np.sin(angle)
        return np.stack([c * p[:, 0] - s * p[:, 1], s * p[:, 0] + c * p[:, 1], p[:, 2]], axis=1)

    return change


def taper(amount: float) -> Callable[[np.ndarray], np.ndarray]:
    """Narrow (or widen) towards the top."""

    def change(p: np.ndarray) -> np.ndarray:
        scale = 1 - amount * (p[:, 2:] / max(float(p[:, 2].max()), 1e-6) - 0.5)
        return np.concatenate([p[:, :2] * scale, p[:, 2:]], axis=1)

    return change


def wave(amplitude: float, frequency: float, phase: float) -> Callable[[np.ndarray], np.ndarray]:
    """Sway sideways as a sine of the height, and bulge a little."""

    def change(p: np.ndarray) -> np.ndarray:
        sway = amplitude * np.sin(2 * np.pi * frequency * p[:, 2] + phase)
        bulge = 1 + 0.8 * amplitude * np.cos(2 * np.pi * frequency * p[:, 2] + 2 * phase)
        return np.stack([p[:, 0] * bulge + sway, p[:, 1] * bulge, p[:, 2]], axis=1)

    return change


def terrain(size: float, height: Callable[[np.ndarray, np.ndarray], np.ndarray], cells: int = 96) -> bpy.types.Mesh:
    """A square ground of side `size` whose z is `height(x, y)`; cells are finer in the middle, before the camera."""
    line = np.linspace(-1, 1, cells + 1)
    line = 0.5 * size * np.sign(line) * np.abs(line) ** 1.8
    x, y = np.meshgrid(line, line, indexing="xy")
    vertices = np.stack([x, y, height(x, y)], axis=-1).reshape(-1, 3)
    index = np.arange((cells + 1) ** 2).reshape(cells + 1, cells + 1)
    faces = np.stack([index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]], axis=-1).reshape(-1, 4)
    mesh = bpy.data.meshes.new("ground")
    mesh.from_pydata(vertices.tolist(), [], faces.tolist())
    mesh.polygons.foreach_set("use_smooth", np.ones(len(mesh.polygons), bool))
    mesh.update()
    return mesh
