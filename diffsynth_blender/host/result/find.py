"""The result of a job folder, the strips that show it, and those that it can take the place of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import bpy

from ...protocol import BadJobError, Shot, load_job
from ..capture.reuse import recorded_source
from ..shot import properties
from .metadata import JOB_KEY
from .sequencer import every_strip
from .strip import find_edit_scene, held_paths, result_of, result_shot
from .strip_content import Content, camera_content, shown_content
from .strip_frames import files_of
from .strip_images import shows_folder
from .strip_replace import find_original


@dataclass(frozen=True)
class Result:
    """The finished frames of a job folder."""

    job_dir: Path
    shot: Shot
    """As large as the results are."""
    upscale: int
    """How many times as large as the frames that were stylised."""
    held: dict[int, Path]
    """The picture of every scene frame from the first to the last one of the shot."""
    strip: str
    """Name of the strip that was stylised; "" for a shot of a 3D scene."""

    @classmethod
    def of(cls, job_dir: Path | str) -> Result:
        """Read a job folder. Raises BadJobError when there is no job, or a frame of it is missing."""
        job_dir = Path(job_dir).resolve()
        job = load_job(job_dir)
        shot = result_shot(job)
        paths = held_paths(shot, result_of(job_dir))
        held = dict(enumerate(paths, shot.frames[0]))
        return cls(job_dir, shot, job.settings.upscale, held, recorded_source(job_dir).get("strip", ""))

    @property
    def folder(self) -> Path:
        """Where the frames are."""
        return self.held[self.shot.frames[0]].parent

    def can_replace(self, strip: bpy.types.Strip, scene: bpy.types.Scene) -> bool:
        """Whether it was made from this strip, or from the 3D scene that it shows.

        Args:
            strip: Any strip.
            scene: The scene whose job it is.
        """
        if self.strip:
            return strip.name == self.strip and strip.id_data == scene
        return _shows(strip, scene)

    def content(self, strip: bpy.types.Strip) -> Content:
        """Its pictures for the place of a strip. Raises BadJobError when the strip shows more than was stylised."""
        return shown_content(strip, self.held) if self.strip else camera_content(strip, self.held)

    def lacks_appearance(self, strip: bpy.types.Strip) -> bool:
        """Whether the pictures are still without position, crop and modifiers of the strip that was stylised."""
        return not self.strip or files_of(strip, range(self.shot.frames[0], self.shot.frames[-1] + 1)) is not None


def strips_with(result: Result) -> list[bpy.types.Strip]:
    """Every strip of the file that shows this result."""
    return [strip for strip in _all_strips() if shows_folder(strip, result.folder)]


def strips_for(result: Result, scene: bpy.types.Scene) -> list[bpy.types.Strip]:
    """Every strip of the file that the result of a scene's job can take the place of, or has."""
    return [strip for strip in _all_strips() if result.can_replace(strip, scene)]


def scene_with_result(scene: bpy.types.Scene) -> bpy.types.Scene | None:
    """The scene whose sequencer shows results of this one: its edit scene, or where they are among other strips."""
    found = find_edit_scene(scene)
    for strip in _all_strips() if found is None else ():
        original = find_original(strip) if strip.get(JOB_KEY) else None
        if strip.get(JOB_KEY) and (strip.id_data == scene or (original and _shows(original, scene))):
            return strip.id_data
    return found


def _shows(strip: bpy.types.Strip, scene: bpy.types.Scene) -> bool:
    return shows_camera(strip) and strip.scene == scene


def shows_camera(strip: bpy.types.Strip) -> bool:
    """Whether a strip shows what the camera of a 3D scene sees."""
    return strip.type == "SCENE" and strip.scene is not None and strip.scene_input == "CAMERA"


def find_result_for(strip: bpy.types.Strip) -> tuple[bpy.types.Scene, Result]:
    """The newest finished result for the place of a strip, with the scene whose job it is.

    Raises BadJobError when there is none.
    """
    for scene in dict.fromkeys((strip.scene, strip.id_data) if shows_camera(strip) else (strip.id_data,)):
        for folder in _job_folders(scene):
            try:
                result = Result.of(folder)
            except BadJobError:  # not a job, or not finished
                continue
            if result.can_replace(strip, scene):
                return scene, result
    what = f"scene {strip.scene.name!r}" if shows_camera(strip) else f"strip {strip.name!r}"
    raise BadJobError(f"no finished result of {what} is found; stylise it first, or choose its job folder")


def _job_folders(scene: bpy.types.Scene) -> Iterator[Path]:
    """Where results of a scene may be, the newest first."""
    for job in scene.diffsynth.jobs.list:
        yield Path(bpy.path.abspath(job.folder))
    try:
        yield properties.job_folder(scene)
    except BadJobError:  # beside a file that was never saved
        return


def _all_strips() -> Iterator[bpy.types.Strip]:
    for scene in bpy.data.scenes:
        yield from every_strip(scene)
