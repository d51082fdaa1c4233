"""A job folder as the host writes it, of a scene whose passes are known in closed form: no Blender needed."""

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import OpenEXR
from PIL import Image

from diffsynth_blender.protocol import Camera, Control, Deflicker, Job, Settings, Shot, load_job, save_job
from diffsynth_blender.protocol.cryptomatte import object_id
from diffsynth_blender.protocol.objects import save_objects
from tests.reference.scene import BACKGROUND_DEPTH, Scene, demo_scene

CHANNELS = {
    "depth": ("exact.Depth.Z",),
    "normal": ("exact.Normal.X", "exact.Normal.Y", "exact.Normal.Z"),
    "vector": ("exact.Vector.X", "exact.Vector.Y", "exact.Vector.Z", "exact.Vector.W"),
    "position": ("exact.Position.X", "exact.Position.Y", "exact.Position.Z"),
    "object": ("exact.CryptoObject00.r",),
}


OBJECTS = {17: "ground", -42: "card", 99: "sign"}
"""Names of the demo scene's objects by their ids; in the files they have the ids of their names, as in Blender."""


def file_id(id: int) -> int:
    """Bits of an object's id in the files."""
    return object_id(OBJECTS[id]) if id in OBJECTS else id & 0xFFFFFFFF


def write_passes(path: Path, scene: Scene, frame: int, *, leave_out: str = "", nan_in: str = "") -> None:
    """Write the exact passes of a frame as an EXR file, or one that lacks a pass or holds a NaN."""
    passes = scene.passes(frame)
    values = {
        "depth": passes.depth[..., None],
        "normal": passes.normal,
        "vector": passes.vector,
        "position": passes.position,
        "object": _named(passes.object_id).view(np.float32)[..., None],
    }
    if nan_in:
        values[nan_in] = values[nan_in].copy()
        values[nan_in][3, 5, 0] = np.nan
    planes = {
        channel: np.ascontiguousarray(values[name][..., i], dtype=np.float32)
        for name, channels in CHANNELS.items()
        if name != leave_out
        for i, channel in enumerate(channels)
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}, planes).write(str(path))


def _named(ids: np.ndarray) -> np.ndarray:
    named = ids.astype(np.int64)
    for id in np.unique(ids).tolist():
        named[ids == id] = file_id(id)
    return named.astype(np.uint32)


def without_passes(job_dir: Path) -> Job:
    """Make a job one of footage: plain frames without passes."""
    job = load_job(job_dir)
    footage = replace(
        job.shot, passes=None, pass_frames=(), channels={}, background_depth=0.0, cameras=(), objects=None
    )
    job = replace(job, shot=footage)
    save_job(job, job_dir)
    shutil.rmtree(job_dir / "passes")
    return job


def write_job_folder(
    job_dir: Path, *, frames: int = 5, model: str = "demo", scene: Scene | None = None, **settings
) -> Job:
    """Write job.json, source frames, passes and matrices; returns the job."""
    scene = scene or demo_scene(64, 48)
    numbers = tuple(range(1, frames + 1))
    shot = Shot(
        name="closed form",
        blender="none",
        engine="CYCLES",
        width=scene.width,
        height=scene.height,
        fps=(24, 1),
        frames=numbers,
        pass_frames=numbers,
        source="source/{frame:04d}.png",
        passes="passes/{frame:04d}.exr",
        channels=CHANNELS,
        background_depth=BACKGROUND_DEPTH,
        sample_offset=(0.0, 0.0),
        cameras=tuple(
            Camera(
                frame,
                tuple(map(tuple, scene.camera(frame).world_to_camera.tolist())),
                tuple(map(tuple, scene.camera(frame).projection.tolist())),
            )
            for frame in numbers
        ),
        objects="passes/{frame:04d}.objects.json",
    )
    defaults = Settings(
        prompt="clay",
        model=model,
        steps=6,
        strength=0.7,
        guidance_scale=2.0,
        controls=(Control("depth"), Control("normal")),
        deflicker=Deflicker(window=2),
        device="cpu",
    )
    job = Job(shot, replace(defaults, **settings))
    save_job(job, job_dir)
    (job_dir / "source").mkdir(exist_ok=True)
    for frame in numbers:
        picture = np.rint(scene.picture(frame, samples=2) * 255).astype(np.uint8)
        Image.fromarray(picture).save(shot.source_path(job_dir, frame))
        write_passes(shot.passes_path(job_dir, frame), scene, frame)
        matrices = {file_id(id): tuple(map(tuple, pose.tolist())) for id, pose in scene.objects(frame).items()}
        save_objects(matrices, shot.objects_path(job_dir, frame))
    return job


def pixels_hash(path: Path) -> str:
    """What a picture shows, without the text of how it was made, which differs with the settings."""
    with Image.open(path) as image:
        return hashlib.sha256(np.asarray(image).tobytes()).hexdigest()
