"""An edit scene, or the frames of a job folder -> an H.264 movie, encoded by Blender itself.

The movie is rendered from a scene that exists only meanwhile: no output setting of the artist's scenes is touched.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import bpy

from ...protocol import BadJobError, Shot, load_job
from .. import compat
from .strip import fit_edit_scene, held_paths, new_edit_scene, new_image_strip, result_of, result_shot


def render_movie(edit_scene: bpy.types.Scene, path: Path | str) -> Path:
    """Encode the frame range of an edit scene (see `strip.insert_strip`) as MP4; returns the path.

    Raises BadJobError when the frame size is odd, which H.264 cannot store.
    """
    scene = edit_scene.copy()
    try:
        return _encode(scene, Path(path))
    finally:
        bpy.data.scenes.remove(scene)


def render_source_movie(job_dir: Path | str, path: Path | str) -> Path:
    """Encode the source frames of a job folder as MP4; returns the path.

    Raises BadJobError when the frame size is odd, or a frame is missing.
    """
    job_dir = Path(job_dir).resolve()
    shot = load_job(job_dir).shot
    return _render_frames(shot, lambda frame: shot.source_path(job_dir, frame), Path(path))


def render_result_movie(job_dir: Path | str, path: Path | str) -> Path:
    """Encode the results of a job folder as MP4; returns the path. Raises as `render_source_movie`."""
    job_dir = Path(job_dir).resolve()
    return _render_frames(result_shot(load_job(job_dir)), result_of(job_dir), Path(path))


def _render_frames(shot: Shot, path_of: Callable[[int], Path], path: Path) -> Path:
    paths = held_paths(shot, path_of)
    if shot.frames[0] < 0:  # where Blender renders no animation; a movie does not know its frames' numbers
        shot = replace(shot, frames=tuple(frame - shot.frames[0] for frame in shot.frames))
    scene = new_edit_scene("DiffSynth movie")
    try:
        fit_edit_scene(scene, shot)
        new_image_strip(scene, "Frames", paths, shot.frames[0], 1)
        return _encode(scene, path)
    finally:
        bpy.data.scenes.remove(scene)


def _encode(scene: bpy.types.Scene, path: Path) -> Path:
    """Set up a throw-away scene for a good, widely playable MP4, and render it."""
    path = path.resolve()
    render, image, ffmpeg = scene.render, scene.render.image_settings, scene.render.ffmpeg
    if render.resolution_x % 2 or render.resolution_y % 2:
        size = f"{render.resolution_x}x{render.resolution_y}"
        raise BadJobError(f"{path}: a movie needs an even frame size, this shot is {size}; change the render size")
    # Order matters: the format decides which containers exist, the container which codecs do.
    compat.use_movie(image)
    image.color_mode = "RGB"
    ffmpeg.format = "MPEG4"
    ffmpeg.codec = "H264"
    ffmpeg.constant_rate_factor = "HIGH"
    ffmpeg.ffmpeg_preset = "GOOD"
    ffmpeg.gopsize = 12  # a key frame every half second: quick seeking in a short shot
    ffmpeg.use_autosplit = False
    ffmpeg.audio_codec = "NONE"
    render.filepath = str(path)
    render.use_file_extension = False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    bpy.ops.render.render(animation=True, scene=scene.name)
    if not path.is_file():
        raise BadJobError(f"{path}: Blender wrote no movie; its messages above say why")
    return path
