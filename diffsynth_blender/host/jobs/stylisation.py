"""What the button Stylise starts: the shot rendered in a second Blender, restyled by the worker, shown as a strip."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy

from ...protocol import JOB_FILE, Settings, load_job
from ..capture.reuse import change_settings, enter_redo, find_captured
from ..preferences import worker_python
from ..shot import properties
from ..source.source import Source, read_source
from ..source.work import source_preparations
from .folders import share_frames
from .job_work import JobWork
from .record import JobRecord, new_record, settings_of
from .worker_job import check_ready


class Stylisation(JobWork):
    """One shot on its way: capture, worker, strip.

    Raises CaptureError or DiffSynthError, from the constructor, when the shot is refused; nothing has happened then.
    """

    def __init__(
        self,
        scene: bpy.types.Scene,
        job_dir: Path,
        frames: range,
        settings: Settings,
        *,
        reuse_capture: bool = False,
        source: Source | None = None,
        record: JobRecord | None = None,
    ) -> None:
        check_ready(settings)
        preparations = []
        if not (reuse_capture and _reuse(scene, job_dir, frames, settings, source)):
            preparations = source_preparations(scene, job_dir, frames, settings, source)
        super().__init__(scene, job_dir, preparations, record or new_record(scene.name, job_dir, frames, settings))
        self._python = worker_python()


class Continuation(JobWork):
    """A job folder that holds its shot, run or gone on with as it is, whatever the scene looks like by now.

    Raises DiffSynthError, from the constructor, when the folder holds no job or the worker is not there.
    """

    def __init__(self, scene: bpy.types.Scene, record: JobRecord) -> None:
        check_ready(load_job(record.job_dir).settings)
        super().__init__(scene, record.job_dir, [], record)


class Redo(Continuation):
    """A range of a shot stylised again with other settings, against its finished neighbours, which stay as they are."""

    title = "Frames are being stylised again"

    def __init__(self, scene: bpy.types.Scene, record: JobRecord) -> None:
        settings = settings_of(record)
        check_ready(settings)
        enter_redo(record.job_dir, record.first, record.last, settings)
        super().__init__(scene, record)


def begin(scene: bpy.types.Scene, record: JobRecord, *, reuse_capture: bool = False) -> JobWork:
    """Start a job of the history or the queue anew. Raises what `Stylisation` and `Redo` raise."""
    record = replace(record, seconds=0.0)
    if record.kind == "REDO":
        return Redo(scene, record)
    return Stylisation(
        scene,
        record.job_dir,
        record.frames,
        settings_of(record),
        reuse_capture=reuse_capture,
        source=read_source(record.source) if record.source else None,
        record=record,
    )


def go_on(scene: bpy.types.Scene, record: JobRecord) -> JobWork:
    """Go on with a job where it stopped; from the start where it stopped while it was rendered."""
    if (record.job_dir / JOB_FILE).is_file():
        return Continuation(scene, record)
    return begin(scene, record)


def _reuse(scene: bpy.types.Scene, job_dir: Path, frames: range, settings: Settings, source: Source | None) -> bool:
    """Take the frames that were rendered for the folder's last run, or for the scene's; False where there are none."""
    if find_captured(scene, job_dir, frames, source):
        change_settings(job_dir, settings)
        return True
    shot_dir = properties.job_folder(scene).resolve()
    job = find_captured(scene, shot_dir, frames, source) if shot_dir != job_dir else None
    if job is not None:
        share_frames(job, shot_dir, job_dir, frames, settings)
    return job is not None
