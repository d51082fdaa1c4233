"""Small shots, built by script, whose motion is known in closed form; and what is needed to look at their passes."""

import json
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
import OpenEXR
from mathutils import Matrix

from diffsynth_blender.protocol import Camera, Settings, Shot, load_job

SETTINGS = Settings(prompt="a clay model")
EEVEE = "BLENDER_EEVEE_NEXT" if bpy.app.version < (5, 0, 0) else "BLENDER_EEVEE"
FRAME = 5


def make_shot(*, engine: str = "CYCLES", width: int = 96, height: int = 64) -> bpy.types.Scene:
    """A turning, travelling, textured cube over a ground, seen by a camera that travels and turns."""
    scene = bpy.context.scene
    scene.render.engine = engine
    scene.render.resolution_x, scene.render.resolution_y = width, height
    scene.render.resolution_percentage = 100
    scene.frame_start, scene.frame_end = 4, 6
    if engine == "CYCLES":
        scene.cycles.samples = 2
        scene.cycles.use_denoising = False
    else:
        scene.eevee.taa_render_samples = 1
        scene.eevee.use_shadows = False
    bpy.ops.mesh.primitive_plane_add(size=30)
    bpy.context.object.name = "Ground"
    bpy.ops.mesh.primitive_cube_add(size=2, location=(0, 0, 1.2))
    cube = bpy.context.object
    cube.name = "Cube"
    cube.data.materials.append(_checkered())
    _move(cube, (-0.6, 0.1, 1.3), (0.1, 0.2, 0.0), (0.9, -0.4, 1.6), (0.3, 0.5, 0.9))
    bpy.ops.object.light_add(type="SUN", rotation=(0.5, 0.3, 0.0))
    bpy.context.object.data.energy = 3.0
    bpy.ops.object.camera_add()
    camera = bpy.context.object
    camera.name = "Camera"
    _move(camera, (0.4, -8.0, 3.0), (1.25, 0.02, 0.05), (-0.5, -7.2, 3.4), (1.2, -0.03, -0.08))
    scene.camera = camera
    scene.frame_set(1)
    return scene


def _checkered() -> bpy.types.Material:
    material = bpy.data.materials.new("Checkered")
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    checker = nodes.new("ShaderNodeTexChecker")
    links.new(checker.outputs["Color"], nodes["Principled BSDF"].inputs["Base Color"])
    return material


def _move(thing: bpy.types.Object, *places: tuple[float, float, float]) -> None:
    """Key location and rotation at frames 1 and 10."""
    for frame, location, rotation in ((1, *places[:2]), (10, *places[2:])):
        thing.location, thing.rotation_euler = location, rotation
        thing.keyframe_insert("location", frame=frame)
        thing.keyframe_insert("rotation_euler", frame=frame)


@dataclass(frozen=True)
class Passes:
    """The exact passes of a frame; image rows from the top."""

    depth: np.ndarray
    normal: np.ndarray
    vector: np.ndarray
    position: np.ndarray
    object: np.ndarray
    names: dict[str, int]
    """Bit pattern of the object id by object name, as the file's manifest says."""

    def mask(self, name: str) -> np.ndarray:
        """Where the object is seen."""
        return self.object.view(np.uint32) == self.names[name]


def read_passes(job_dir: Path, frame: int) -> Passes:
    """Read a frame's passes by the channel names of the job."""
    shot = load_job(job_dir).shot
    with OpenEXR.File(str(shot.passes_path(job_dir, frame)), separate_channels=True) as file:
        planes = {name: channel.pixels for part in file.parts for name, channel in part.channels.items()}
        found = {kind: np.stack([planes[name] for name in names], -1) for kind, names in shot.channels.items()}
        manifests = [value for part in file.parts for key, value in part.header.items() if key.endswith("/manifest")]
    found = {kind: values[..., 0] if values.shape[-1] == 1 else values for kind, values in found.items()}
    names = {name: int(value, 16) for name, value in json.loads(manifests[0]).items()}
    return Passes(**{kind: np.ascontiguousarray(values) for kind, values in found.items()}, names=names)


def read_png(path: Path) -> np.ndarray:
    """The bytes of an 8-bit PNG, (H, W, 4), rows from the bottom."""
    image = bpy.data.images.load(str(path))
    try:
        image.colorspace_settings.name = "Non-Color"
        pixels = np.empty(len(image.pixels), np.float32)
        image.pixels.foreach_get(pixels)
        return np.rint(pixels * 255).astype(np.uint8).reshape(image.size[1], image.size[0], 4)
    finally:
        bpy.data.images.remove(image)


def matrices(scene: bpy.types.Scene, names: tuple[str, ...], frames: tuple[int, ...]) -> dict[tuple[str, int], Matrix]:
    """World matrix of each object at each frame."""
    found = {}
    for frame in frames:
        scene.frame_set(frame)
        for name in names:
            found[name, frame] = bpy.data.objects[name].matrix_world.copy()
    return found


def pixel_grid(shot: Shot) -> np.ndarray:
    """Pixel centres, (H, W, 2): x right, y UP from the lower left corner [px]."""
    rows, columns = np.mgrid[: shot.height, : shot.width]
    return np.stack([columns + 0.5, shot.height - (rows + 0.5)], -1)


def project(shot: Shot, camera: Camera, points: np.ndarray) -> np.ndarray:
    """World positions (..., 3) to pixels (..., 2), y up."""
    clip = homogeneous(points) @ (np.array(camera.projection) @ np.array(camera.world_to_camera)).T
    return (clip[..., :2] / clip[..., 3:] * 0.5 + 0.5) * (shot.width, shot.height)


def homogeneous(points: np.ndarray) -> np.ndarray:
    """(..., 3) to (..., 4) with a one at the end, in double precision."""
    return np.concatenate([points.astype(np.float64), np.ones((*points.shape[:-1], 1))], -1)
