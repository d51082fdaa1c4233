"""Whether a job folder already holds the shot that a scene would render now, so that it need not be rendered again.

Two answers: `find_captured` compares what job.json says and is for an artist who declares the scene unchanged;
`is_unchanged` also compares what the capture was made from (the .blend file and its libraries, or the cameras of a
scene that was never saved) and is for scripts. Neither sees what a script changed in memory after loading a file.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import bpy

from ..protocol import BadJobError, Job, Settings, load_job, save_job
from ..protocol.files import file_sha256, write_bytes_atomic
from ..protocol.job import CACHE_FOLDER
from .cameras import final_size, record_camera
from .scene_state import same_frame_after

ORIGIN_FILE = "capture.json"  # in the job's cache: what the frames were rendered from


def find_captured(scene: bpy.types.Scene, job_dir: Path, frames: range) -> Job | None:
    """The job in the folder if it is a complete capture of these frames of this scene, else None."""
    try:
        job = load_job(job_dir)
    except BadJobError:
        return None
    shot = job.shot
    expected = (scene.name, scene.render.engine, final_size(scene), tuple(frames))
    if (shot.name, shot.engine, (shot.width, shot.height), shot.frames) != expected:
        return None
    paths = [shot.source_path(job_dir, frame) for frame in shot.frames]
    paths += [shot.passes_path(job_dir, frame) for frame in shot.pass_frames]
    # None where an older version captured the shot: it is complete, its motion is composed.
    objects = [shot.objects_path(job_dir, frame) for frame in shot.pass_frames]
    return job if all(path.is_file() for path in (*paths, *filter(None, objects))) else None


def is_unchanged(scene: bpy.types.Scene, job_dir: Path, frames: range) -> bool:
    """Whether the folder's capture was made from what is loaded now."""
    try:
        recorded = json.loads((job_dir / CACHE_FOLDER / ORIGIN_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # never written, or torn: capture again
        return False
    return recorded == {"origin": origin(scene, frames)} and find_captured(scene, job_dir, frames) is not None


def record_origin(scene: bpy.types.Scene, job_dir: Path, frames: range) -> None:
    """Note what the finished capture in the folder was made from."""
    path = job_dir / CACHE_FOLDER / ORIGIN_FILE
    path.parent.mkdir(exist_ok=True)
    write_bytes_atomic(path, json.dumps({"origin": origin(scene, frames)}).encode())


def origin(scene: bpy.types.Scene, frames: range) -> str:
    """SHA-256 (hexadecimal) of what decides the rendered frames, as far as it can be read without rendering."""
    if bpy.data.filepath:
        files = [bpy.data.filepath, *(bpy.path.abspath(library.filepath) for library in bpy.data.libraries)]
        content: list[object] = [file_sha256(Path(file)) for file in files if Path(file).is_file()]
    else:
        with same_frame_after(scene):
            content = [_camera(scene, frame) for frame in frames]
    render = scene.render
    what = [bpy.app.version_string, scene.name, render.engine, final_size(scene), render.fps, render.fps_base]
    return hashlib.sha256(json.dumps([*what, list(frames), content]).encode()).hexdigest()


def change_settings(job_dir: Path, settings: Settings) -> None:
    """Have a captured shot stylised in another way; the worker redoes what depends on it."""
    save_job(replace(load_job(job_dir), settings=settings), job_dir)


def _camera(scene: bpy.types.Scene, frame: int) -> list[object]:
    scene.frame_set(frame)
    camera = record_camera(scene)
    return [camera.frame, camera.world_to_camera, camera.projection]
