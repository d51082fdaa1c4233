"""A job folder from passes that the artist has rendered before: the files are linked, cameras come from the scene.

The files stay as they are and where they are: the job folder holds other names of them, or copies on another disk. What
is rendered anew under the same names later is therefore new for the job as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import bpy

from ...protocol import Job, Settings, Shot
from .. import compat
from ..capture.cameras import shot_cameras
from ..capture.checks import CaptureError, check_scene
from ..capture.folder import PASSES_PATTERN, SOURCE_PATTERN
from ..capture.recorder import ShotRecorder
from ..capture.reuse import record_source
from ..capture.run import CaptureRun
from ..capture.scene_state import same_frame_after, same_images_after
from ..capture.shot import describe_shot
from ..result.strip_frames import link_file
from .files import ShotFiles, find_shot_files
from .pictures import PictureMaker
from .source import PassesSource


class PassesCapture(CaptureRun):
    """Makes a job folder of the artist's own files.

    Raises CaptureError, from the constructor, where scene, files or folder are refused; nothing has changed then.
    """

    def __init__(
        self,
        scene: bpy.types.Scene,
        job_dir: Path,
        source: PassesSource,
        frames: range,
        settings: Settings,
        *,
        overwrite: bool,
    ) -> None:
        """Find the files; see `CaptureRun` for the arguments."""
        self._source = source
        self._files = check_passes_source(scene, source, frames)
        check_apart(job_dir, [*self._files.passes.values(), *(self._files.pictures or {}).values()])
        super().__init__(scene, job_dir, frames, len(self._files.passes), settings, overwrite=overwrite)

    def _renders(self) -> Iterator[bpy.types.Scene | None]:
        """A step for every file with passes; a render only where its picture has to be made."""
        scene, files = self._scene(), self._files
        recorder = ShotRecorder(self.folder)
        with ExitStack() as stack:
            stack.enter_context(same_images_after())
            stack.enter_context(same_frame_after(scene))
            maker = stack.enter_context(PictureMaker(scene, files.layer)) if files.pictures is None else None
            for frame, path in files.passes.items():
                self._frame = frame
                scene.frame_set(frame)
                recorder.record(scene)
                self._link(path, PASSES_PATTERN)
                if frame not in self._frames:
                    yield None
                elif maker is None:
                    assert files.pictures is not None
                    self._link(files.pictures[frame], SOURCE_PATTERN)
                    yield None
                else:
                    with maker.picture(path, frame, self.folder.writing_path(SOURCE_PATTERN, frame)) as picture:
                        yield picture
                    self._finish(SOURCE_PATTERN)
        shot = replace(_describe(scene, self._frames, files), cameras=tuple(recorder.cameras))
        record_source(self.folder.path, self._source)
        self.folder.finish_job(Job(replace(shot, render_seconds=self._render_seconds), self._settings))

    def _link(self, path: Path, pattern: str) -> None:
        link_file(path, self.folder.writing_path(pattern, self._frame))
        self._finish(pattern)


def check_passes_source(
    scene: bpy.types.Scene, source: PassesSource, frames: range, *, look_at_all: bool = True
) -> ShotFiles:
    """The files of a shot, see `find_shot_files`. Raises CaptureError where scene or files are refused."""
    check_scene(scene, frames)
    return find_shot_files(scene, source, frames, look_at_all=look_at_all)


def check_apart(job_dir: Path, paths: list[Path]) -> None:
    """Raise CaptureError where the folder that is emptied for the job holds files that the job is to be made of."""
    folder = Path(job_dir).resolve()
    inside = next((path for path in paths if path.resolve().is_relative_to(folder)), None)
    if inside is not None:
        raise CaptureError(f"{inside} lies in the job folder, which is filled anew: choose another output folder.")


def _describe(scene: bpy.types.Scene, frames: range, files: ShotFiles) -> Shot:
    """The shot without its cameras."""
    shot = describe_shot(scene, frames, range(frames[0], frames[-1] + 1), files.layer)
    clip_end = min(camera.data.clip_end for camera in shot_cameras(scene, frames[0], frames[-1]))
    depth = compat.background_depth_of_files(scene.render.engine, clip_end)
    return replace(shot, channels=files.channels, background_depth=depth)
