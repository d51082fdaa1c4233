"""The demo shot holds what it promises, and it renders."""

from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Vector

from diffsynth_blender.demo import materials, shapes
from diffsynth_blender.demo.scene import FRAMES, build_scene


@pytest.fixture
def scene() -> bpy.types.Scene:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    return build_scene()


def evaluated_points(scene: bpy.types.Scene, name: str, frame: int) -> np.ndarray:
    """Vertices of an evaluated mesh in its own coordinates, (N, 3)."""
    scene.frame_set(frame)
    return shapes.points(scene.objects[name].evaluated_get(bpy.context.evaluated_depsgraph_get()).data).copy()


def matrix(item: bpy.types.Object, scene: bpy.types.Scene, frame: int) -> np.ndarray:
    scene.frame_set(frame)
    return np.array(item.matrix_world)


def test_has_enough_frames_at_the_promised_size(scene: bpy.types.Scene) -> None:
    assert scene.frame_end - scene.frame_start + 1 == FRAMES >= 24
    assert (scene.render.resolution_x, scene.render.resolution_y, scene.render.fps) == (384, 256, 24)
    assert scene.render.engine == "CYCLES" and not scene.render.use_motion_blur


def test_the_camera_moves_between_all_frames(scene: bpy.types.Scene) -> None:
    places = np.array([matrix(scene.camera, scene, frame)[:3, 3] for frame in range(0, FRAMES + 2)])
    steps = np.linalg.norm(np.diff(places, axis=0), axis=1)
    assert steps.min() > 0.02 and steps.max() < 0.3


def test_the_ball_moves_rigidly_and_rolls_without_slipping(scene: bpy.types.Scene) -> None:
    ball = scene.objects["Ball"]
    np.testing.assert_array_equal(evaluated_points(scene, "Ball", 1), evaluated_points(scene, "Ball", 12))
    first, later = matrix(ball, scene, 1), matrix(ball, scene, 12)
    radius = ball.dimensions.x / 2
    travelled = later[0, 3] - first[0, 3]
    turned = np.arccos(np.clip((np.trace(np.linalg.solve(first[:3, :3], later[:3, :3])) - 1) / 2, -1, 1))
    turned = min((turned, 2 * np.pi - turned), key=lambda angle: abs(angle - travelled / radius))
    assert travelled > 0.5
    assert turned == pytest.approx(travelled / radius, rel=0.02)


def test_the_column_deforms_and_keeps_its_foot_on_the_ground(scene: bpy.types.Scene) -> None:
    at_rest, later = evaluated_points(scene, "Column", 1), evaluated_points(scene, "Column", 8)
    assert np.abs(later - at_rest).max() > 0.1
    np.testing.assert_array_equal(matrix(scene.objects["Column"], scene, 1), matrix(scene.objects["Column"], scene, 8))
    np.testing.assert_allclose(later[:, 2].min(), 0, atol=0.02)


def test_the_ball_passes_in_front_of_what_stands_behind(scene: bpy.types.Scene) -> None:
    """Sight lines from the camera to the stack are free at first and blocked by the ball at last."""

    def seen(frame: int) -> str:
        scene.frame_set(frame)
        depsgraph = bpy.context.evaluated_depsgraph_get()
        eye = scene.camera.matrix_world.translation
        aim = scene.objects["Star"].matrix_world @ Vector((0.0, 0.0, 0.3))
        hit, _, _, _, item, _ = scene.ray_cast(depsgraph, eye, (aim - eye).normalized())
        return item.name if hit else ""

    assert seen(1) == "Star"
    assert seen(FRAMES) == "Ball"


def test_two_builds_are_equal(scene: bpy.types.Scene) -> None:
    first = {item.name: np.array(item.matrix_world) for item in scene.objects}
    bpy.ops.wm.read_factory_settings(use_empty=True)
    second = {item.name: np.array(item.matrix_world) for item in build_scene().objects}
    assert first.keys() == second.keys()
    for name, placed in first.items():
        np.testing.assert_array_equal(placed, second[name])


def test_renders_a_picture_with_a_sky_a_meadow_and_colours(scene: bpy.types.Scene, tmp_path: Path) -> None:
    scene.render.resolution_percentage = 25
    scene.cycles.samples = 4
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = str(tmp_path / "frame.png")
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(tmp_path / "frame.png"))
    width, height = image.size
    pixels = np.array(image.pixels[:], np.float32).reshape(height, width, 4)[::-1, :, :3]
    assert 0.25 < pixels.mean() < 0.75
    sky, meadow = pixels[:6].mean(axis=(0, 1)), pixels[-8:].mean(axis=(0, 1))
    assert sky.argmax() == 2 and meadow.argmax() == 1
    assert pixels.std(axis=(0, 1)).min() > 0.08


@pytest.mark.parametrize("pattern", materials.PATTERNS)
def test_every_pattern_drives_the_colour(pattern: str) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    material = materials.surface("m", pattern, ("#c03020", "#f0e0c0", "#204080"), fade=5.0)
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    assert shader.inputs["Base Color"].is_linked == (pattern != "plain")


@pytest.mark.parametrize("shape", (*shapes.SHAPES, "hill"))
def test_every_shape_stands_on_the_ground_and_faces_outwards(shape: str) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    mesh = shapes.make_mesh(shape)
    points = shapes.points(mesh)
    assert points[:, 2].min() == pytest.approx(0, abs=1e-5)
    assert 0.13 < points[:, 2].max() < 1.5
    volume = 0.0
    mesh.calc_loop_triangles()
    for triangle in mesh.loop_triangles:
        a, b, c = (points[i] for i in triangle.vertices)
        volume += float(np.dot(a, np.cross(b, c))) / 6
    assert volume > 0


def test_an_unknown_shape_is_named() -> None:
    with pytest.raises(ValueError, match="teapot"):
        shapes.make_mesh("teapot")
