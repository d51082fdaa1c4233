"""Fields over 16 frames of real renders, against what Blender itself knows: evaluated vertices and matrices.

The worker's interpreter, named by DIFFSYNTH_WORKER_PYTHON, computes the fields; `make test` sets it.
"""

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Vector
from mathutils.bvhtree import BVHTree

from diffsynth_blender.host.capture.capture import Capture
from diffsynth_blender.protocol import Shot, load_job
from tests.host import shots

FIRST, LAST = 1, 17
THERE_AND_BACK = ((0, 1), (1, 0))
"""Indices of target and source: only the shot's ends are stylised, the motion goes through every frame."""


@dataclass(frozen=True)
class Filmed:
    """A captured shot and the shapes of its objects."""

    job_dir: Path
    shot: Shot
    corners: dict[tuple[str, int], np.ndarray]
    """World positions of the corners of every triangle, (N, 3, 3), by object and frame."""
    matrices: dict[tuple[str, int], np.ndarray]
    """Object to world, (4, 4), by object and frame."""

    def fields(self, *options: str) -> dict[tuple[int, int], np.ndarray]:
        """The fields there and back, (H, W, 3), by indices of target and source."""
        python = os.environ.get("DIFFSYNTH_WORKER_PYTHON")
        if not python:
            pytest.fail("DIFFSYNTH_WORKER_PYTHON must name the worker's interpreter; `make test` sets it")
        root, out = Path(__file__).parents[2], self.job_dir / f"fields{''.join(options)}.npz"
        pairs = [f"{target}:{source}" for target, source in THERE_AND_BACK]
        command = [python, "-m", "tests.host.fields", str(self.job_dir), str(out), *options, *pairs]
        # Blender's Python has paths of its own, which the worker's must not see.
        clean = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
        subprocess.run(command, cwd=root, env=clean, check=True, timeout=300)
        with np.load(out) as found:
            return {(target, source): found[f"{target}:{source}"] for target, source in THERE_AND_BACK}

    def truth(self, name: str, target: int, source: int, *, rigid: bool) -> tuple[np.ndarray, np.ndarray]:
        """Where the points of an object lie that its pixels show: mask (H, W) and array coordinates (N, 2)."""
        frames = self.shot.frames[target], self.shot.frames[source]
        passes = shots.read_passes(self.job_dir, frames[0])
        mask = passes.mask(name)
        carry = self._carry_by_matrix if rigid else self._carry_by_shape
        pixels = shots.project(
            self.shot, self.shot.cameras[frames[1] - FIRST], carry(name, passes.position[mask], *frames)
        )
        return mask, np.stack([pixels[:, 0], self.shot.height - pixels[:, 1]], -1) - 0.5

    def _carry_by_matrix(self, name: str, points: np.ndarray, target: int, source: int) -> np.ndarray:
        local = shots.homogeneous(points) @ np.linalg.inv(self.matrices[name, target]).T
        return (local @ self.matrices[name, source].T)[:, :3]

    def _carry_by_shape(self, name: str, points: np.ndarray, target: int, source: int) -> np.ndarray:
        """Find each point on a triangle of the target's shape, and take it along with the corners to the source's."""
        before, after = self.corners[name, target], self.corners[name, source]
        numbers = np.arange(3 * len(before)).reshape(-1, 3)
        tree = BVHTree.FromPolygons(before.reshape(-1, 3).tolist(), numbers.tolist())
        found = [tree.find_nearest(Vector(point)) for point in points]
        assert max(distance for *_, distance in found) < 1e-3, "the shape is not the one that was rendered"
        index = np.array([index for _, _, index, _ in found])
        return np.einsum("nk,nkc->nc", barycentric(points, before[index]), after[index])


def barycentric(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Weights (N, 3) of the corners (N, 3, 3) of the triangles that `points` (N, 3) lie in."""
    edges = np.stack([corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]], -1)
    # Least squares, since the points are on the triangles' planes but for rounding.
    weights = (np.linalg.pinv(edges) @ (points - corners[:, 0])[..., None])[..., 0]
    return np.concatenate([1.0 - weights.sum(-1, keepdims=True), weights], -1)


def film(scene: bpy.types.Scene, job_dir: Path, names: tuple[str, ...]) -> Filmed:
    """Capture the shot, and take down the evaluated shapes of the objects `names` at its ends."""
    for _ in Capture(scene, job_dir, settings=shots.SETTINGS).run_blocking():
        pass
    corners, matrices = {}, {}
    for frame in (FIRST, LAST):
        scene.frame_set(frame)
        depsgraph = bpy.context.evaluated_depsgraph_get()
        for name in names:
            thing = bpy.data.objects[name].evaluated_get(depsgraph)
            matrices[name, frame] = np.array(thing.matrix_world)
            mesh = thing.to_mesh()
            mesh.calc_loop_triangles()
            vertices = np.array([thing.matrix_world @ vertex.co for vertex in mesh.vertices])
            corners[name, frame] = vertices[[triangle.vertices[:] for triangle in mesh.loop_triangles]]
            thing.to_mesh_clear()
    return Filmed(job_dir, load_job(job_dir).shot, corners, matrices)


def new_scene(engine: str) -> bpy.types.Scene:
    """The usual shot, longer."""
    scene = shots.make_shot(engine=engine, width=128, height=96)
    scene.frame_start, scene.frame_end, scene.frame_step = FIRST, LAST, LAST - FIRST
    return scene


def error_of(
    filmed: Filmed, field: np.ndarray, name: str, target: int, source: int, *, rigid: bool = True
) -> tuple[np.ndarray, float]:
    """Position errors [px] of an object's pixels that are called visible, and their share of all of its pixels."""
    mask, true = filmed.truth(name, target, source, rigid=rigid)
    assert mask.sum() > 60
    found = field[mask]
    visible = found[:, 2] > 0
    return np.linalg.norm(found[:, :2] - true, axis=-1)[visible], float(visible.mean())


def add_tentacle(scene: bpy.types.Scene) -> None:
    """A tube with a skin over three bones that wave."""
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    bpy.ops.mesh.primitive_cylinder_add(radius=0.35, depth=3.0, vertices=24, location=(0, 0, 1.5))
    tube = bpy.context.object
    tube.name = "Tentacle"
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.select_all(action="SELECT")
    bpy.ops.mesh.subdivide(number_cuts=7)
    bpy.ops.object.mode_set(mode="OBJECT")
    bpy.ops.object.armature_add(enter_editmode=True, location=(0, 0, 0))
    rig = bpy.context.object
    bones = rig.data.edit_bones
    bones[0].name, bones[0].tail = "Bone0", (0, 0, 1)
    for number in (1, 2):
        bone = bones.new(f"Bone{number}")
        bone.head, bone.tail, bone.parent = (0, 0, number), (0, 0, number + 1), bones[f"Bone{number - 1}"]
    bpy.ops.object.mode_set(mode="OBJECT")
    tube.parent = rig
    tube.modifiers.new("Armature", "ARMATURE").object = rig
    for number in range(3):
        group = tube.vertex_groups.new(name=f"Bone{number}")
        for vertex in tube.data.vertices:
            height = vertex.co.z + 1.5
            group.add([vertex.index], max(0.0, 1.0 - abs(height - 0.5 - number)), "REPLACE")
        bone = rig.pose.bones[f"Bone{number}"]
        bone.rotation_mode = "XYZ"
        for frame, angle in ((FIRST, -0.15 * number), (LAST, 0.15 * (number + 1))):
            bone.rotation_euler = (0.3 * angle, angle, angle)
            bone.keyframe_insert("rotation_euler", frame=frame)


def test_a_skinned_mesh_is_followed_to_its_vertices(tmp_path: Path) -> None:
    """Over 16 frames the field of a waving tentacle stays within 0.3 px on average; its matrix is not used."""
    scene = new_scene("CYCLES")
    add_tentacle(scene)
    filmed = film(scene, tmp_path, ("Tentacle", "Ground"))
    fields, composed = filmed.fields(), filmed.fields("--composed")
    for target, source in THERE_AND_BACK:
        error, visible = error_of(filmed, fields[target, source], "Tentacle", target, source, rigid=False)
        print(f"\n{filmed.shot.blender} tentacle: mean {error.mean():.4f}, 99 % {np.quantile(error, 0.99):.3f}"
              f", largest {error.max():.3f} px, visible {visible:.3f}")  # fmt: skip
        assert error.mean() < 0.3 and visible > 0.6
        mask = shots.read_passes(tmp_path, filmed.shot.frames[target]).mask("Tentacle")
        np.testing.assert_array_equal(fields[target, source][mask], composed[target, source][mask])
        ground, _ = error_of(filmed, fields[target, source], "Ground", target, source)
        assert ground.mean() < 0.02


def add_machine(scene: bpy.types.Scene) -> None:
    """The cube on a turning, scaled parent, squeezed; a rod 1 to 2 px wide; a shifted lens."""
    hub = bpy.data.objects.new("Hub", None)
    scene.collection.objects.link(hub)
    hub.scale = (1.2, 0.7, 0.9)
    for frame, turn in ((FIRST, -0.1), (LAST, 0.3)):
        hub.rotation_euler = (0, 0, turn)
        hub.keyframe_insert("rotation_euler", frame=frame)
    bpy.data.objects["Cube"].parent = hub
    bpy.ops.mesh.primitive_cylinder_add(radius=0.05, depth=5.0, location=(-1.6, -1.0, 1.6), rotation=(0.1, 0.5, 0))
    bpy.context.object.name = "Rod"
    bpy.context.object.parent = hub
    scene.camera.data.shift_x, scene.camera.data.shift_y = 0.08, -0.05


@pytest.mark.parametrize("engine", ["CYCLES", shots.EEVEE])
def test_rigid_objects_go_straight(tmp_path: Path, engine: str) -> None:
    """Parented, scaled and animated, through a shifted lens that moves: 16 frames are as exact as one, rods too."""
    scene = new_scene(engine)
    add_machine(scene)
    names = ("Cube", "Rod", "Ground")
    filmed = film(scene, tmp_path, names)
    fields = filmed.fields()
    for target, source in THERE_AND_BACK:
        for name in names:
            error, visible = error_of(filmed, fields[target, source], name, target, source)
            print(f"\n{filmed.shot.blender} {engine} {name}: mean {error.mean():.5f}, largest {error.max():.4f} px, "
                  f"visible {visible:.3f}")  # fmt: skip
            # EEVEE samples up to 0.06 px beside the pixel's centre, on either end.
            assert error.mean() < (0.005 if engine == "CYCLES" else 0.05) and error.max() < 0.12
            assert visible > 0.2


def instance(scene: bpy.types.Scene) -> None:
    """Two instances of the cube, which move in opposite directions; the cube itself is not shown."""
    cube = bpy.data.objects["Cube"]
    collection = bpy.data.collections.new("Instanced")
    collection.objects.link(cube)
    scene.collection.objects.unlink(cube)
    for side in (-1, 1):
        empty = bpy.data.objects.new("Instance", None)
        empty.instance_type, empty.instance_collection = "COLLECTION", collection
        scene.collection.objects.link(empty)
        for frame in (FIRST, LAST):
            empty.location = (side * (1.4 + 0.03 * frame), 0.5, 0)
            empty.keyframe_insert("location", frame=frame)


def geometry_nodes(scene: bpy.types.Scene) -> None:
    """The cube's mesh is moved by nodes, so that its matrix says nothing."""
    cube = bpy.data.objects["Cube"]
    tree = bpy.data.node_groups.new("Slide", "GeometryNodeTree")
    tree.interface.new_socket("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
    tree.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    start, move, end = (tree.nodes.new(kind) for kind in ("NodeGroupInput", "GeometryNodeTransform", "NodeGroupOutput"))
    tree.links.new(start.outputs[0], move.inputs["Geometry"])
    tree.links.new(move.outputs[0], end.inputs[0])
    cube.modifiers.new("Slide", "NODES").node_group = tree
    for frame, offset in ((FIRST, 0.0), (LAST, 0.8)):
        move.inputs["Translation"].default_value = (offset, 0, 0)
        move.inputs["Translation"].keyframe_insert("default_value", frame=frame)


@pytest.mark.parametrize("change", [instance, geometry_nodes])
def test_what_has_no_matrix_of_its_own_keeps_its_vectors(
    tmp_path: Path, change: Callable[[bpy.types.Scene], None]
) -> None:
    """Instances and geometry that nodes move have the field that the vectors give them."""
    scene = new_scene("CYCLES")
    change(scene)
    filmed = film(scene, tmp_path, ())
    fields, composed = filmed.fields(), filmed.fields("--composed")
    for target, source in THERE_AND_BACK:
        mask = shots.read_passes(tmp_path, filmed.shot.frames[target]).mask("Cube")
        assert mask.sum() > 200 and (fields[target, source][mask][:, 2] > 0).mean() > 0.2
        np.testing.assert_array_equal(fields[target, source][mask], composed[target, source][mask])
