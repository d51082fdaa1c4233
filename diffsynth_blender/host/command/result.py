"""What becomes of the finished frames on a command line: their place in the file, a movie, the file saved."""

from __future__ import annotations

from pathlib import Path

import bpy

from ...protocol import BadJobError
from .. import saved
from ..capture.scene_state import Borrowed
from ..result import movie
from ..result.place import place_result
from ..result.strip import find_edit_scene, insert_strip
from .log import CommandLog, FileWritten


def place(scene: bpy.types.Scene, job_dir: Path, log: CommandLog, *, placement: str | None = None) -> None:
    """Put the result where the scene says, or where `placement` does; a strip where the add-on is not registered.

    Raises BadJobError where a frame is missing, or a placement needs the add-on.
    """
    if saved.choices(scene) is not None:
        with Borrowed() as borrowed:
            if placement is not None:
                borrowed.set(scene.diffsynth.result, placement=placement)
            log.note(place_result(scene, job_dir))
    elif placement in (None, "NEW"):
        insert_strip(scene, job_dir)
        log.note(f"a strip in the scene {find_edit_scene(scene).name!r}")
    elif placement != "NONE":
        raise BadJobError(f"--place {placement.lower()} needs the add-on, which is not enabled; enable it")


def write_movie(job_dir: Path, log: CommandLog) -> None:
    """Encode the results as a movie beside them. Raises BadJobError where that cannot be."""
    log.event(FileWritten("movie", str(movie.render_result_movie(job_dir, job_dir / "result.mp4"))))


def save_copy(scene: bpy.types.Scene, path: Path, log: CommandLog) -> None:
    """Save a copy of the file as it is now; into a folder under its own name, or the scene's where it has none."""
    if path.is_dir():
        path /= Path(bpy.data.filepath).name or f"{bpy.path.clean_name(scene.name)}.blend"
    try:
        bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True, relative_remap=True)
    except RuntimeError as error:  # what an operator reports as an error
        raise BadJobError(f"{path}: cannot be saved: {str(error).removeprefix('Error: ').strip()}") from None
    log.event(FileWritten("blend", str(path)))
