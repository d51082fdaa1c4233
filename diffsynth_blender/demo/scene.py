"""The demo shot, built by script: a toy landscape with a rolling ball, a dancing column and a camera that drifts past.

    python -m diffsynth_blender.demo.scene demo.blend

It holds what a steady stylisation has to cope with: parallax, something that rolls, something that deforms, something
that passes in front of something else, contact shadows, thin shapes against the sky. Works from Blender 4.2 to 5.2.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import _cycles
import bpy
import numpy as np
from mathutils import Vector

from . import materials, shapes

FRAMES = 24
WIDTH, HEIGHT = 384, 256
SKY = ((0.0, "#8d8f8c"), (0.49, "#d8ecf6"), (0.53, "#b5dcf4"), (0.66, "#5fa5e4"), (1.0, "#2a62b8"))


def build_scene(scene: bpy.types.Scene | None = None) -> bpy.types.Scene:
    """Fill a scene with the demo shot: frames 1 to 24 at 24 frames a second, 384 x 256, Cycles.

    Args:
        scene: An empty scene; the current one when left out.

    Returns:
        The scene.
    """
    scene = scene or bpy.context.scene
    _set_up_render(scene)
    scene.world = materials.sky("Sky", SKY, strength=0.8, clouds=0.75, seed=3.1)
    _add_sun(scene)
    _add_landscape(scene)
    _add_toys(scene)
    _add_rolling_ball(scene)
    _add_dancing_column(scene)
    _add_camera(scene)
    scene.frame_set(1)
    return scene


def _set_up_render(scene: bpy.types.Scene) -> None:
    scene.frame_start, scene.frame_end = 1, FRAMES
    scene.render.fps, scene.render.fps_base = 24, 1.0
    scene.render.engine = "CYCLES"
    scene.render.resolution_x, scene.render.resolution_y = WIDTH, HEIGHT
    scene.render.resolution_percentage = 100
    # Motion blur would blank the motion vectors, and blurs twice once the frames are stylised.
    scene.render.use_motion_blur = False
    scene.render.use_persistent_data = True
    scene.view_settings.view_transform = materials.VIEW_TRANSFORM
    scene.view_settings.look = materials.VIEW_LOOK
    scene.view_settings.exposure = 0.15
    cycles = scene.cycles
    cycles.device = "CPU"
    cycles.samples = 16
    cycles.use_adaptive_sampling = False
    # One seed for all frames: what little noise the denoiser leaves stands still.
    cycles.seed = 0
    cycles.use_animated_seed = False
    if _cycles.with_openimagedenoise:
        cycles.use_denoising = True
        cycles.denoiser = "OPENIMAGEDENOISE"
        # About 4 s of processor time a frame; the default prefilter costs more and shows no difference.
        cycles.denoising_prefilter = "FAST"
    else:  # as the Blender of some Linux distributions: more noise, which stands still all the same
        cycles.use_denoising = False
        cycles.samples = 64
    cycles.max_bounces = 4
    cycles.diffuse_bounces = 2
    cycles.glossy_bounces = 2
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 4.0


def _add_sun(scene: bpy.types.Scene) -> None:
    """A low warm sun from the left and a little behind the camera: shadows fall to the right, forms are modelled."""
    light = bpy.data.lights.new("Sun", "SUN")
    light.energy = 4.6
    light.angle = np.radians(4)
    light.color = materials.linear("#fff0d6")[:3]
    sun = bpy.data.objects.new("Sun", light)
    sun.rotation_euler = Vector((-0.72, -0.50, 0.66)).to_track_quat("Z", "Y").to_euler()
    scene.collection.objects.link(sun)


def _height(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The meadow: level where the toys stand, rolling farther away."""
    away = np.clip((np.hypot(x, y) - 4.5) / 10, 0, 1)
    return 0.45 * away * (np.sin(0.42 * x + 1.3) * np.cos(0.37 * y) + 0.6 * np.sin(0.8 * x - 0.5 * y))


def _place(
    scene: bpy.types.Scene,
    shape: str,
    material: bpy.types.Material,
    location: tuple[float, float, float],
    size: float | tuple[float, float, float] = 1.0,
    turn: float = 0.0,
    name: str = "",
) -> bpy.types.Object:
    """Stand a shape on a place; `size` is its scale, `turn` its heading in degrees."""
    mesh = shapes.make_mesh(shape)
    mesh.materials.append(material)
    item = bpy.data.objects.new(name or shape.capitalize(), mesh)
    item.location = location
    item.scale = (size, size, size) if isinstance(size, float) else size
    item.rotation_euler[2] = np.radians(turn)
    scene.collection.objects.link(item)
    return item


def _add_landscape(scene: bpy.types.Scene) -> None:
    meadow = materials.surface(
        "Meadow", "noise", ("#4f8f3c", "#9bc455", "#74ab48"), scale=0.42, roughness=0.7, fade=9.0
    )
    ground = bpy.data.objects.new("Meadow", shapes.terrain(160.0, _height))
    ground.pass_index = materials.GROUND_INDEX
    ground.data.materials.append(meadow)
    scene.collection.objects.link(ground)
    near = materials.surface("Hills", "noise", ("#5d9a5a", "#82b86a", "#6ea85f"), roughness=0.9)
    far = materials.surface("Far hills", "plain", ("#7fa3b8",), roughness=0.9)
    for x, y, width, height in ((-13, 20, 9.0, 2.4), (6, 24, 11.0, 2.0), (17, 18, 7.0, 2.6)):
        _place(scene, "hill", near, (x, y, -0.5), (width, width, height), name="Hill")
    for x, y, width, height in ((-6, 40, 15.0, 5.4), (16, 44, 18.0, 6.2), (-30, 42, 15.0, 5.0)):
        _place(scene, "hill", far, (x, y, -0.8), (width, width, height), name="Far hill")


def _add_toys(scene: bpy.types.Scene) -> None:
    """What stands still: a house, trees, a stack, a monkey, a gem, a ring."""
    walls = materials.surface("Walls", "plain", ("#f3e0bb",), roughness=0.6)
    roof = materials.surface("Roof", "stripes", ("#c8324a", "#a3243c"), scale=3.0, roughness=0.5)
    _place(scene, "cube", walls, (-1.55, 1.35, -0.01), 1.5, 24, "House")
    _place(scene, "pyramid", roof, (-1.55, 1.35, 1.22), (1.6, 1.6, 1.05), 24, "Roof")
    blue = materials.surface("Door", "plain", ("#2f6f9f",), roughness=0.4)
    heading = np.radians(24)
    for along, up, width, tall in ((-0.28, 0.0, 0.42, 0.95), (0.3, 0.58, 0.36, 0.42)):
        # On the wall that faces the camera, 0.63 in front of the middle of the house.
        x = -1.55 + along * np.cos(heading) + 0.63 * np.sin(heading)
        y = 1.35 + along * np.sin(heading) - 0.63 * np.cos(heading)
        _place(scene, "cube", blue, (x, y, up), (width, 0.12, tall), 24, "Door" if up == 0 else "Window")
    trunk = materials.surface("Trunk", "wood", ("#5b3a21", "#8a5c38"), scale=2.0, roughness=0.8)
    leaves = materials.surface("Leaves", "noise", ("#2f7d4a", "#57a05a", "#3f8f50"), scale=1.2, roughness=0.8)
    crown = materials.surface("Crown", "plain", ("#e9a13b",), roughness=0.7)
    _place(scene, "cylinder", trunk, (2.55, 1.5, -0.01), (0.34, 0.34, 0.75), 0, "Fir trunk")
    for level in range(3):
        _place(
            scene,
            "cone",
            leaves,
            (2.55, 1.5, 0.55 + 0.62 * level),
            (1.75 - 0.4 * level, 1.75 - 0.4 * level, 1.1),
            0,
            "Fir",
        )
    _place(scene, "cylinder", trunk, (-3.35, 2.4, -0.01), (0.32, 0.32, 1.1), 0, "Tree trunk")
    _place(scene, "icosphere", crown, (-3.35, 2.4, 0.75), 1.55, 12, "Tree")
    _place(scene, "cylinder", trunk, (0.85, 3.6, -0.01), (0.3, 0.3, 1.0), 0, "Tree trunk")
    _place(
        scene,
        "icosphere",
        materials.surface("Rosy crown", "plain", ("#e0788a",), roughness=0.7),
        (0.85, 3.6, 0.7),
        1.3,
        40,
        "Tree",
    )
    star = materials.surface("Star", "plain", ("#f4c430",), roughness=0.35)
    check = materials.surface("Check", "checker", ("#f6efe0", "#264653"), scale=1.0, roughness=0.4)
    plum = materials.surface("Plum", "plain", ("#7b3fa0",), roughness=0.3)
    _place(scene, "star", star, (-0.25, 0.55, -0.01), 1.0, 10, "Star")
    _place(scene, "torus", check, (-0.25, 0.55, 0.38), 0.85, 0, "Torus")
    _place(scene, "sphere", plum, (-0.25, 0.55, 0.52), 0.5, 0, "Plum")
    coral = materials.surface("Coral", "plain", ("#f0653f",), roughness=0.4)
    _place(scene, "suzanne", coral, (1.95, -0.75, -0.02), 0.95, 16, "Monkey")
    _place(
        scene,
        "gem",
        materials.surface("Gem", "plain", ("#2fb5a5",), roughness=0.2),
        (-0.7, -2.3, -0.01),
        0.55,
        8,
        "Gem",
    )
    ring = _place(
        scene,
        "ring",
        materials.surface("Ring", "plain", ("#3a66c9",), roughness=0.3),
        (0.55, -1.75, 0.0),
        0.62,
        0,
        "Ring",
    )
    ring.rotation_euler = (np.radians(8), np.radians(-4), 0)
    ring.location.z = 0.03


def _animate(frame_to_pose: Callable[[float], None], *channels: tuple[bpy.types.bpy_struct, str]) -> None:
    """Key every frame of the shot, and the two around it: motion vectors look one frame back and one ahead.

    A key on every frame makes the pose independent of the interpolation that the user prefers for new keys.
    """
    for frame in range(FRAMES + 2):
        frame_to_pose((frame - 1) / (FRAMES - 1))
        for owner, path in channels:
            owner.keyframe_insert(path, frame=frame)


def _add_rolling_ball(scene: bpy.types.Scene) -> None:
    """A beach ball that rolls from the left past the house and in front of the stack, without slipping."""
    radius, start, way = 0.48, -2.35, 2.1
    paint = materials.surface("Beach ball", "checker", ("#e63946", "#fff4e0"), scale=0.75, roughness=0.3)
    mesh = shapes.make_mesh("sphere")
    mesh.vertices.foreach_set("co", (shapes.points(mesh) - (0, 0, 0.5)).ravel())
    mesh.materials.append(paint)
    ball = bpy.data.objects.new("Ball", mesh)
    ball.scale = (2 * radius,) * 3
    scene.collection.objects.link(ball)

    def pose(t: float) -> None:
        # Slowing down a little towards the end, as a ball on grass does.
        travelled = way * (1.22 * t - 0.22 * t * t)
        ball.location = (start + travelled, -0.85 + 0.1 * travelled, radius - 0.01)
        ball.rotation_euler = (0.35, travelled / radius, 0.0)

    _animate(pose, (ball, "location"), (ball, "rotation_euler"))


def _add_dancing_column(scene: bpy.types.Scene) -> None:
    """A column that squashes, stretches and sways: two shape keys, both keeping its foot on the ground."""
    paint = materials.surface("Column", "stripes", ("#2a9d8f", "#ffe9a8"), scale=1.25, roughness=0.35)
    column = _place(scene, "column", paint, (0.95, 0.55, -0.01), (1.05, 1.05, 1.15), 20, "Column")
    rest = shapes.points(column.data)
    height = rest[:, 2:] / rest[:, 2].max()
    # Stretched by 22 % and thinner by half of that keeps the volume, nearly.
    stretched = np.concatenate(
        [rest[:, :2] * (1 - 0.14 * np.sin(np.pi * (0.15 + 0.85 * height))), rest[:, 2:] * 1.24], axis=1
    )
    swayed = shapes.twist(0.10)(rest + np.concatenate([0.42 * height**2, 0.10 * height**2, -0.05 * height], axis=1))
    column.shape_key_add(name="Basis")
    keys = []
    for name, moved in (("Stretch", stretched), ("Sway", swayed)):
        key = column.shape_key_add(name=name)
        key.data.foreach_set("co", moved.astype(np.float32).ravel())
        key.slider_min, key.slider_max = -1.0, 1.0
        keys.append(key)
    stretch, sway = keys

    def pose(t: float) -> None:
        stretch.value = 0.85 * np.sin(2 * np.pi * (1.5 * t + 0.05))
        sway.value = 0.9 * np.sin(2 * np.pi * (0.75 * t + 0.6))

    _animate(pose, (stretch, "value"), (sway, "value"))


def _add_camera(scene: bpy.types.Scene) -> None:
    """A slow arc to the right that also comes a little closer, looking between ball and column."""
    data = bpy.data.cameras.new("Camera")
    data.lens = 40
    data.sensor_width = 36
    data.clip_end = 200
    camera = bpy.data.objects.new("Camera", data)
    scene.collection.objects.link(camera)
    scene.camera = camera

    def pose(t: float) -> None:
        angle = np.radians(-97 + 15 * t)
        distance = 7.7 - 0.7 * t
        camera.location = (distance * np.cos(angle), distance * np.sin(angle), 1.75 + 0.2 * t)
        target = Vector((-0.1 + 0.15 * t, 0.0, 0.88))
        camera.rotation_euler = (camera.location - target).to_track_quat("Z", "Y").to_euler()

    _animate(pose, (camera, "location"), (camera, "rotation_euler"))


def main() -> None:
    """Save the demo scene as a .blend file."""
    parser = argparse.ArgumentParser(
        prog="python -m diffsynth_blender.demo.scene", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("output", type=Path, help="the .blend file to write")
    options = parser.parse_args()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    build_scene()
    options.output.parent.mkdir(parents=True, exist_ok=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(options.output.resolve()))


if __name__ == "__main__":
    main()
