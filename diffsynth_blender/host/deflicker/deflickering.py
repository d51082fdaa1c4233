"""What the button Deflicker starts: the frames of a strip, made steady by the worker, shown in a strip above it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import bpy

from ...client import WorkerSession
from ...protocol import JOB_FILE, BadJobError, load_job
from ..capture.checks import CaptureError
from ..capture.child import ChildStripRender
from ..capture.scene_state import find_block
from ..jobs.work import Preparation, Work
from ..preferences import worker_python
from ..result.strip import SHOT_KEY, strips_of
from ..result.strip_frames import LinkFrames, check_files, clear_frames, files_of, find_strip, strip_frames
from ..shot import properties
from .properties import deflicker_folder
from .strip import SourcePlace, insert_result


class Deflickering(Work):
    """One strip on its way: frames, worker, result.

    Raises BadJobError or another DiffSynthError, from the constructor, when something does not fit together; nothing
    has happened then, but that folders for the frames may have been made.
    """

    title = "A strip is being deflickered"
    resume_hint = "Deflicker goes on where it stopped"

    def __init__(self, scene: bpy.types.Scene, strip: bpy.types.Strip) -> None:
        worker_python()
        chosen = scene.diffsynth_deflicker
        self._scene_uid = scene.session_uid
        self._mode, self._window = chosen.mode.lower(), chosen.window
        self._device = chosen.device.lower()
        self._folder = deflicker_folder(scene, strip.name)
        self._style_dir, self._guide_dir = self._folder / "style", self._folder / "guide"
        self._job_dir = find_job(scene, strip) if chosen.guide == "SHOT" else None
        guide_strip = _guide_strip(scene, strip) if chosen.guide == "OTHER" else None
        for used in filter(None, (strip, guide_strip)):
            if used.type == "IMAGE":
                self._check_apart(Path(bpy.path.abspath(used.directory)))
        if self._mode == "keyframes":
            preparations = self._prepare_keys(scene, strip, guide_strip)
        else:
            preparations = self._prepare_frames(scene, strip, guide_strip)
        super().__init__(preparations)

    def submit(self, session: WorkerSession) -> str:
        guide_dir = self._guide_dir
        return session.submit_deflicker(
            self._style_dir,
            self.output_dir,
            guide_dir=None if self._job_dir else guide_dir,
            job_dir=self._job_dir,
            mode=self._mode,
            window=self._window,
            device=self._device,
        )

    @property
    def output_dir(self) -> Path:
        """Where the steady frames are."""
        return self._folder / "result"

    def finish(self) -> str:
        scene = find_block(bpy.data.scenes, self._scene_uid)
        if scene is None:
            raise BadJobError(f"the strip's scene was deleted; its steady frames are in {self.output_dir}")
        frames = list(self._frames)
        result = insert_result(scene, {f: self.output_dir / f"{f:04d}.png" for f in frames}, self._place)
        if not bpy.app.background:
            bpy.ops.ed.undo_push(message="Insert Steady Strip")
        return f"{len(frames)} frames in the strip {result.name!r}"

    def _prepare_frames(
        self, scene: bpy.types.Scene, strip: bpy.types.Strip, guide_strip: bpy.types.Strip | None
    ) -> list[Callable[[], Preparation]]:
        """Every frame of the strip, and of its guide."""
        find_strip(scene, strip.name)
        self._frames = self._within_job(strip_frames(strip))
        files, guide_files = files_of(strip, self._frames), None
        self._place = SourcePlace.of(strip, keeps_shape=True)
        if guide_strip is None:
            self._guide_dir = self._style_dir
        else:
            shown = strip_frames(guide_strip)
            if self._frames[0] not in shown or self._frames[-1] not in shown:
                raise BadJobError(
                    f"the guide strip {guide_strip.name!r} is shown from {shown[0]} to {shown[-1]}, {strip.name!r} "
                    f"from {self._frames[0]} to {self._frames[-1]}; put the guide below all of it"
                )
            guide_files = files_of(guide_strip, self._frames)
            if guide_files is None or self._place.shape != SourcePlace.of(guide_strip, keeps_shape=True).shape:
                # Pixels of the two lie over each other only as they are shown.
                files = guide_files = None
        if files is None:
            guide_files = None
            self._place = SourcePlace.of(strip, keeps_shape=False)
        preparations = [_fetch(scene, strip, self._frames, files, self._style_dir)]
        if guide_strip is not None:
            preparations.append(_fetch(scene, guide_strip, self._frames, guide_files, self._guide_dir))
        return preparations

    def _prepare_keys(
        self, scene: bpy.types.Scene, strip: bpy.types.Strip, guide_strip: bpy.types.Strip | None
    ) -> list[Callable[[], Preparation]]:
        """The files of the selected image strips, and every frame of what they were painted over."""
        preparations, files = [], None
        if self._job_dir is not None:
            frames = load_job(self._job_dir).shot.frames
            self._frames = range(frames[0], frames[-1] + 1, frames[1] - frames[0] if len(frames) > 1 else 1)
        elif guide_strip is not None:
            self._frames = strip_frames(guide_strip)
            files = files_of(guide_strip, self._frames)
            preparations.append(_fetch(scene, guide_strip, self._frames, files, self._guide_dir))
        else:
            raise BadJobError(
                "key frames need to know what they were painted over; set Guide to another strip or the captured shot"
            )
        keys = _key_files(scene, strip, guide_strip)
        names = Counter(path.name for path in keys)
        for path in keys:
            self._check_apart(path.parent)
            if names[path.name] > 1:
                raise BadJobError(f"{path}: two key frames have this name; name each by the frame it was painted over")
        # The result has the size of the guide, and lies where that lies.
        self._place = SourcePlace.of(strip, keeps_shape=False)
        if files is not None:
            self._place = replace(self._place, shape=SourcePlace.of(guide_strip, keeps_shape=True).shape)
        return [partial(_gather_keys, keys, self._style_dir), *preparations]

    def _check_apart(self, folder: Path) -> None:
        """Source files never lie in the folder that is emptied for links to them."""
        if folder.resolve().is_relative_to(self._folder):
            raise BadJobError(f"{self._folder}: holds files of the strip itself; choose another output folder")

    def _within_job(self, frames: range) -> range:
        """Those of the strip's frames that the job has; all without a job."""
        if self._job_dir is None:
            return frames
        shot = load_job(self._job_dir).shot
        common = [frame for frame in shot.frames if frame in frames]
        if not common:
            raise BadJobError(
                f"{self._job_dir}: has frames {shot.frames[0]} to {shot.frames[-1]}, the strip is shown from "
                f"{frames[0]} to {frames[-1]}; move the strip to the frames it shows, or choose another guide"
            )
        step = common[1] - common[0] if len(common) > 1 else 1
        return range(common[0], common[-1] + 1, step)


def find_job(scene: bpy.types.Scene, strip: bpy.types.Strip) -> Path:
    """The job folder that a strip's frames belong to: the one they lie in, else the one of the scene's shot.

    Raises BadJobError when there is none.
    """
    if strip.type == "IMAGE":
        folder = Path(bpy.path.abspath(strip.directory)).resolve().parent
        if (folder / JOB_FILE).is_file():
            return folder
    folder = properties.job_folder(scene.get(SHOT_KEY) or scene).resolve()
    if not (folder / JOB_FILE).is_file():
        raise BadJobError(
            f"{folder}: holds no captured shot; press Stylise in the shot's scene, or choose another guide"
        )
    return folder


def _guide_strip(scene: bpy.types.Scene, strip: bpy.types.Strip) -> bpy.types.Strip:
    name = scene.diffsynth_deflicker.guide_strip
    if not name:
        raise BadJobError("no guide strip is chosen; set Guide Strip")
    if name == strip.name:
        raise BadJobError(
            f"the strip {name!r} is its own guide; choose another as Guide Strip, or Strip Itself as Guide"
        )
    return find_strip(scene, name)


def _fetch(
    scene: bpy.types.Scene, strip: bpy.types.Strip, frames: range, files: dict[int, Path] | None, folder: Path
) -> Callable[[], Preparation]:
    """How a strip's frames come into a folder: linked where they are files, else rendered."""
    check_files(strip)
    uid, name = scene.session_uid, strip.name

    def start() -> Preparation:
        clear_frames(folder)
        if files is not None:
            return LinkFrames([(path, f"{frame:04d}.png") for frame, path in files.items()], folder)
        # Looked up anew: undo may have replaced every struct since.
        scene = find_block(bpy.data.scenes, uid)
        if scene is None:
            raise CaptureError("The strip's scene was deleted: start again with another one.")
        return ChildStripRender(scene, name, frames, folder)

    return start


def _key_files(scene: bpy.types.Scene, strip: bpy.types.Strip, guide_strip: bpy.types.Strip | None) -> list[Path]:
    """The files of the active strip and of the selected image strips, without the guide."""
    if strip.type != "IMAGE":
        raise BadJobError(f"strip {strip.name!r} holds no key frames; choose the image strip of the painted frames")
    chosen = [other for other in strips_of(scene) if other.type == "IMAGE" and (other.select or other == strip)]
    files = (
        Path(bpy.path.abspath(other.directory)) / element.filename
        for other in chosen
        if other != guide_strip
        for element in other.elements
    )
    return list(dict.fromkeys(files))  # one that is held for several frames is one key


def _gather_keys(keys: list[Path], folder: Path) -> Preparation:
    clear_frames(folder)
    return LinkFrames([(path, path.name) for path in keys], folder)
