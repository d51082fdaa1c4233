"""The matrices that a capture writes: whose they are, and whose are left out."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Matrix

from diffsynth_blender.host.capture.capture import Capture
from diffsynth_blender.host.capture.reuse import find_captured
from diffsynth_blender.protocol import load_job, save_job
from diffsynth_blender.protocol.cryptomatte import murmur3, object_id
from diffsynth_blender.protocol.objects import load_objects
from tests.host import shots


def capture_objects(scene: bpy.types.Scene, job_dir: Path) -> dict[int, dict[int, np.ndarray]]:
    """Capture a shot and return its matrices by frame and object id."""
    for _ in Capture(scene, job_dir, settings=shots.SETTINGS).run_blocking():
        pass
    shot = load_job(job_dir).shot
    files = {frame: load_objects(shot.objects_path(job_dir, frame)) for frame in shot.pass_frames}
    return {frame: {id: np.array(rows) for id, rows in matrices.items()} for frame, matrices in files.items()}


def awkward_names() -> list[str]:
    """Names whose hash is no float as it is, and names that are not ASCII or a multiple of four bytes long."""
    exponents: dict[int, str] = {}
    for number in range(10_000):
        name = f"n{number}"
        exponents.setdefault(murmur3(name.encode()) >> 23 & 0xFF, name)
    return [exponents[0], exponents[255], "Würfel", "añ.001", "abcd", "x"]


@pytest.mark.parametrize("engine", ["CYCLES", shots.EEVEE])
def test_ids_are_those_of_the_passes(tmp_path: Path, engine: str) -> None:
    """Every object that the passes show is named by the very bits that its pixels hold."""
    scene = shots.make_shot(engine=engine)
    for number, name in enumerate(awkward_names()):
        bpy.ops.mesh.primitive_cube_add(size=0.3, location=(-1.5 + 0.6 * number, -2.0, 1))
        bpy.context.object.name = name
    matrices = capture_objects(scene, tmp_path)[5]
    ids = set(np.unique(shots.read_passes(tmp_path, 5).object.view(np.uint32)).tolist()) - {0}
    assert len(ids) == 8
    assert ids <= set(matrices)
    assert {object_id(name) for name in (*awkward_names(), "Cube", "Ground")} == ids


def test_matrices_are_the_evaluated_ones_of_each_frame(tmp_path: Path) -> None:
    """Animation, a scaled parent, a constraint: what is written is what Blender renders."""
    scene = shots.make_shot()
    rig = bpy.data.objects.new("Rig", None)
    scene.collection.objects.link(rig)
    rig.scale = (0.8, 1.3, -0.7)
    bpy.data.objects["Cube"].parent = rig
    bpy.ops.mesh.primitive_cube_add(size=0.4)
    follower = bpy.context.object
    follower.name = "Follower"
    follower.constraints.new("COPY_LOCATION").target = bpy.data.objects["Cube"]
    matrices = capture_objects(scene, tmp_path)
    for frame in (4, 5, 6):
        scene.frame_set(frame)
        depsgraph = bpy.context.evaluated_depsgraph_get()
        for name in ("Cube", "Ground", "Follower"):
            true = np.array(bpy.data.objects[name].evaluated_get(depsgraph).matrix_world)
            np.testing.assert_array_equal(matrices[frame][object_id(name)], true)


def instance_a_collection(scene: bpy.types.Scene) -> None:
    """The cube's collection is also seen as an instance."""
    cube = bpy.data.objects["Cube"]
    collection = bpy.data.collections.new("Instanced")
    scene.collection.children.link(collection)
    collection.objects.link(cube)
    scene.collection.objects.unlink(cube)
    empty = bpy.data.objects.new("Instance", None)
    empty.instance_type, empty.instance_collection = "COLLECTION", collection
    empty.location = (2, 0, 0)
    scene.collection.objects.link(empty)


def instance_in_another_layer(scene: bpy.types.Scene) -> None:
    """The cube is in one view layer and its only instance in another."""
    instance_a_collection(scene)
    empty = bpy.data.objects["Instance"]
    apart = bpy.data.collections.new("Apart")
    scene.collection.children.link(apart)
    apart.objects.link(empty)
    scene.collection.objects.unlink(empty)
    scene.view_layers.new("Second")
    scene.view_layers[0].layer_collection.children["Apart"].exclude = True
    scene.view_layers[1].layer_collection.children["Instanced"].exclude = True


def scatter_particles(scene: bpy.types.Scene) -> None:
    """The ground sheds copies of the cube."""
    ground = bpy.data.objects["Ground"]
    ground.modifiers.new("Particles", "PARTICLE_SYSTEM")
    settings = ground.particle_systems[0].settings
    settings.count, settings.frame_start, settings.frame_end = 5, 1, 1
    settings.render_type, settings.instance_object = "OBJECT", bpy.data.objects["Cube"]


def bend_with_a_shape_key(scene: bpy.types.Scene) -> None:
    """The cube grows by a shape key."""
    cube = bpy.data.objects["Cube"]
    cube.shape_key_add(name="Basis")
    tall = cube.shape_key_add(name="Tall")
    for point in tall.data:
        point.co.z *= 1.5
    for frame in (1, 10):
        tall.value = frame / 10
        tall.keyframe_insert("value", frame=frame)


def divide_by_zero(scene: bpy.types.Scene) -> None:
    """A matrix of the cube that is not a number."""
    bpy.data.objects["Cube"].parent = rig = bpy.data.objects.new("Rig", None)
    scene.collection.objects.link(rig)
    bpy.data.objects["Cube"].matrix_parent_inverse = Matrix.Diagonal((float("nan"),) * 4)


@pytest.mark.parametrize(
    "change",
    [instance_a_collection, instance_in_another_layer, scatter_particles, bend_with_a_shape_key, divide_by_zero],
)
def test_what_no_single_matrix_moves_is_left_out(tmp_path: Path, change: Callable[[bpy.types.Scene], None]) -> None:
    """The cube is not in the files, the ground is."""
    scene = shots.make_shot(width=32, height=32)
    change(scene)
    matrices = capture_objects(scene, tmp_path)
    for frame in (5, 6):  # what has changed its shape shows from the second frame on
        assert object_id("Cube") not in matrices[frame]
        assert object_id("Ground") in matrices[frame]


def test_namesakes_from_libraries_are_left_out(tmp_path: Path) -> None:
    """A linked object may have a local one's name, and so its id."""
    library = tmp_path / "library.blend"
    bpy.ops.mesh.primitive_cube_add(size=1, location=(2, 0, 1))
    bpy.context.object.name = "Cube"
    bpy.data.libraries.write(str(library), {bpy.context.object}, fake_user=True)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = shots.make_shot(width=32, height=32)
    with bpy.data.libraries.load(str(library), link=True) as (_, wanted):
        wanted.objects = ["Cube"]
    scene.collection.objects.link(wanted.objects[0])
    matrices = capture_objects(scene, tmp_path / "job")
    assert object_id("Cube") not in matrices[5] and object_id("Ground") in matrices[5]


def test_a_capture_without_its_matrices_is_not_taken_again(tmp_path: Path) -> None:
    """A folder is a complete capture only with every file that job.json speaks of."""
    scene = shots.make_shot(width=32, height=32)
    capture_objects(scene, tmp_path)
    assert find_captured(scene, tmp_path, range(4, 7)) == load_job(tmp_path)
    load_job(tmp_path).shot.objects_path(tmp_path, 5).unlink()
    assert find_captured(scene, tmp_path, range(4, 7)) is None
    # What an older version captured has none, and is complete without.
    job = load_job(tmp_path)
    save_job(replace(job, shot=replace(job.shot, objects=None)), tmp_path)
    assert find_captured(scene, tmp_path, range(4, 7)) is not None
