"""Whether a job folder already holds the shot that a scene would render now, so that it need not be rendered again.

`find_captured` compares what job.json says and is for an artist who declares the scene unchanged. `is_unchanged`, and
`was_interrupted` for a render that did not come to its end, compare what the capture was made from (the .blend file and
its libraries, or the cameras or the strip of a scene that was never saved, and the artist's own files) and are for
scripts. Neither sees what a script changed in memory after loading a file.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import bpy

from ...protocol import JOB_FILE, BadJobError, Job, Settings, add_redo, load_job, save_job
from ...protocol.files import file_sha256, write_bytes_atomic
from ...protocol.job import CACHE_FOLDER
from ..result.strip_frames import files_in, find_strip
from ..source.sequence import find_sequence
from ..source.source import PassesSource, RenderSource, Source, StripSource, chosen_source, describe
from .cameras import final_size, record_camera
from .hold import FolderHold
from .scene_state import same_frame_after

ORIGIN_FILE = "capture.json"  # in the job's cache: what the frames were rendered from
SOURCE_FILE = "source/source.json"  # where frames that were not rendered came from


def find_captured(scene: bpy.types.Scene, job_dir: Path, frames: range, source: Source | None = None) -> Job | None:
    """The job in the folder if it is a complete capture of these frames of this scene, else None.

    Args:
        scene: The artist's scene.
        job_dir: The job folder.
        frames: Scene frames to stylise.
        source: Where they come from; what the artist chose in the scene, by default.

    Raises CaptureError where that choice is incomplete.
    """
    source = chosen_source(scene) if source is None else source
    try:
        job = load_job(job_dir)
    except BadJobError:
        return None
    shot = job.shot
    if recorded_source(job_dir) != describe(source) or (shot.name, shot.frames) != (scene.name, tuple(frames)):
        return None
    # Footage has a size of its own, and no engine.
    rendered = (shot.engine, (shot.width, shot.height))
    if shot.passes is not None and rendered != (scene.render.engine, final_size(scene)):
        return None
    paths = [shot.source_path(job_dir, frame) for frame in shot.frames]
    paths += [shot.passes_path(job_dir, frame) for frame in shot.pass_frames]
    # None where an older version captured the shot: it is complete, its motion is composed.
    objects = [shot.objects_path(job_dir, frame) for frame in shot.pass_frames]
    return job if all(path.is_file() for path in (*paths, *filter(None, objects))) else None


def is_unchanged(scene: bpy.types.Scene, job_dir: Path, frames: range, source: Source) -> bool:
    """Whether the folder's capture was made from what is loaded now."""
    return find_captured(scene, job_dir, frames, source) is not None and _is_of(scene, job_dir, frames, source)


def was_interrupted(scene: bpy.types.Scene, job_dir: Path, frames: range, source: Source) -> bool:
    """Whether the folder holds the beginning of a render of the .blend file that is open.

    Of a scene that was never saved too little is known to put frames of two renders side by side.
    """
    is_rendered = isinstance(source, RenderSource) and bool(bpy.data.filepath)
    return is_rendered and not (job_dir / JOB_FILE).exists() and _is_of(scene, job_dir, frames, source)


def _is_of(scene: bpy.types.Scene, job_dir: Path, frames: range, source: Source) -> bool:
    """Whether what a folder holds of a capture was made from what is loaded now."""
    try:
        recorded = json.loads((job_dir / CACHE_FOLDER / ORIGIN_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # never written, or torn: capture again
        return False
    return recorded == {"origin": origin(scene, frames, source)}


def record_origin(scene: bpy.types.Scene, job_dir: Path, frames: range, source: Source) -> None:
    """Note what the capture in the folder is made from; it is finished when job.json is there."""
    path = job_dir / CACHE_FOLDER / ORIGIN_FILE
    path.parent.mkdir(exist_ok=True)
    write_bytes_atomic(path, json.dumps({"origin": origin(scene, frames, source)}).encode())


def origin(scene: bpy.types.Scene, frames: range, source: Source) -> str:
    """SHA-256 (hexadecimal) of what decides the rendered frames, as far as it can be read without rendering."""
    if bpy.data.filepath:
        files = [bpy.data.filepath, *(bpy.path.abspath(library.filepath) for library in bpy.data.libraries)]
        content: list[object] = [file_sha256(Path(file)) for file in files if Path(file).is_file()]
    elif isinstance(source, StripSource):
        content = _values(find_strip(scene, source.strip))
    else:
        with same_frame_after(scene):
            content = [_camera(scene, frame) for frame in frames]
    render = scene.render
    files = [[str(path), *_stamp(path)] for path in source_paths(scene, source, frames)]
    what = [bpy.app.version_string, scene.name, render.engine, final_size(scene), render.fps, render.fps_base]
    return hashlib.sha256(json.dumps([*what, list(frames), content, describe(source), files]).encode()).hexdigest()


def source_paths(scene: bpy.types.Scene, source: Source, frames: range) -> list[Path]:
    """The files that the frames are taken from, as far as they lie on disk now."""
    if isinstance(source, PassesSource):
        every = range(frames[0], frames[-1] + 1)
        sequences = [find_sequence(file) for file in (source.file, source.pictures) if file is not None]
        return [files[frame] for files in sequences for frame in every if frame in files]
    return files_in(find_strip(scene, source.strip)) if isinstance(source, StripSource) else []


def record_source(job_dir: Path, source: Source) -> None:
    """Note in the folder of a finished capture where its frames came from."""
    write_bytes_atomic(job_dir / SOURCE_FILE, json.dumps(describe(source)).encode())


def change_settings(job_dir: Path, settings: Settings) -> None:
    """Have a captured shot stylised in another way; the worker redoes what depends on it.

    Raises JobBusyError where a worker is at it: its frames would not be of these settings.
    """
    with _held(job_dir):
        save_job(replace(load_job(job_dir), settings=settings), job_dir)


def enter_redo(job_dir: Path, first: int, last: int, settings: Settings) -> None:
    """Have a range of frames of a job restyled with other settings; the next run does it.

    Raises BadJobError; JobBusyError where a worker is at it.
    """
    with _held(job_dir):
        add_redo(job_dir, first, last, settings)


def _held(job_dir: Path) -> FolderHold:
    load_job(job_dir)  # which says best what is wrong with a folder that is none
    try:
        return FolderHold(job_dir)
    except OSError as error:
        raise BadJobError(f"{job_dir}: cannot be written: {error.strerror}; make the job folder writable") from None


def recorded_source(job_dir: Path) -> dict[str, str]:
    """Where the frames in a job folder came from, as `source.describe` says it."""
    try:
        return json.loads((job_dir / SOURCE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # never written: it was rendered
        return describe(RenderSource())


def _stamp(path: Path) -> tuple[int, int]:
    """Size and time of a file: hashing the passes of a shot would take as long as rendering a frame of it."""
    try:
        stat = path.stat()
    except OSError:
        return 0, 0
    return stat.st_size, stat.st_mtime_ns


def _values(strip: bpy.types.Strip) -> list[object]:
    """The plain properties of a strip."""
    plain = {"BOOLEAN", "INT", "FLOAT", "STRING", "ENUM"}
    names = [prop.identifier for prop in strip.bl_rna.properties if prop.type in plain]
    return [str(getattr(strip, name)) for name in names if name != "select"]


def _camera(scene: bpy.types.Scene, frame: int) -> list[object]:
    scene.frame_set(frame)
    camera = record_camera(scene)
    return [camera.frame, camera.world_to_camera, camera.projection]
