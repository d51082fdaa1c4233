"""Commands that begin with the open scene: run, preview, export-job; and what follows a render of it."""

from __future__ import annotations

import argparse
import threading
import time
from pathlib import Path

import bpy

from ..protocol import BadJobError, JobCancelledError, load_job
from . import api, movie, properties
from .capture import CaptureStatus
from .child import ChildCapture
from .command_log import CommandLog, FileWritten
from .command_scene import frames_of, job_folder_of, scene_of, settings_of
from .strip import find_edit_scene


def run(options: argparse.Namespace, log: CommandLog, cancelled: threading.Event) -> Path:
    """Capture, stylise, put the result in its place, save."""
    api.check_ready(settings_of(options), options.worker_python)  # before rendering for hours
    job_dir = export_job(options, log, cancelled)
    _stylise(options, job_dir, log, cancelled)
    scene = scene_of(options)
    api.insert_strip(scene, job_dir)
    if options.movie:
        path = movie.render_movie(find_edit_scene(scene), job_dir / "result.mp4")
        log.event(FileWritten("movie", str(path)))
    if not options.no_save:
        _save(options.save or job_dir / _file_name(scene), log)
    return job_dir


def stylise_rendered(scene: bpy.types.Scene, log: CommandLog) -> None:
    """As `run` with nothing but the scene's own settings, where this Blender must not render: another one does.

    Raises CaptureError or DiffSynthError saying why it did not end well.
    """
    settings, job_dir = properties.to_settings(scene.diffsynth), properties.job_folder(scene).resolve()
    start, end, step = properties.frame_range(scene)
    api.check_ready(settings)
    capture = ChildCapture(scene, job_dir, range(start, end + 1, step), settings)
    shown = 0
    while capture.tick().state == "running":
        status = capture.status
        if status.renders_done > shown:
            shown = status.renders_done
            log.rendered(shown, status.render_count, status.frame)
        time.sleep(api.POLL_SECONDS)
    api.stylise(job_dir, on_event=log.event)
    api.insert_strip(scene, job_dir)
    _save(job_dir / _file_name(scene), log)


def export_job(options: argparse.Namespace, log: CommandLog, cancelled: threading.Event) -> Path:
    """Render source frames and exact passes, unless the folder holds this very shot already."""
    scene, job_dir, frames = scene_of(options), job_folder_of(options), frames_of(options)
    rendered = False

    def show(status: CaptureStatus) -> None:
        nonlocal rendered
        if cancelled.is_set():
            raise JobCancelledError("cancelled during the render; the same command starts it again")
        log.rendered(status.renders_done, status.render_count, status.frame)
        rendered = True

    api.capture(
        scene,
        job_dir,
        settings=settings_of(options),
        frame_start=frames.start,
        frame_end=frames.stop - 1,
        frame_step=frames.step,
        overwrite=options.recapture or _may_replace(scene, job_dir),
        reuse=not options.recapture,
        on_status=show,
    )
    log.note("rendered" if rendered else f"{job_dir} already holds these frames: nothing is rendered again")
    return job_dir


def preview(options: argparse.Namespace, log: CommandLog, cancelled: threading.Event) -> Path:
    """Stylise a frame, or four in a row, in a folder of their own."""
    raise BadJobError("preview")


def _stylise(options: argparse.Namespace, job_dir: Path, log: CommandLog, cancelled: threading.Event) -> None:
    api.stylise(job_dir, worker_python=options.worker_python, on_event=log.event, is_cancelled=cancelled.is_set)
    log.note(f"stylised: {job_dir / 'output'}")


def _save(path: Path, log: CommandLog) -> None:
    """Save a copy of the file as it is now, with the result."""
    bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True, relative_remap=True)
    log.event(FileWritten("blend", str(path)))


def _file_name(scene: bpy.types.Scene) -> str:
    return Path(bpy.data.filepath).name or f"{bpy.path.clean_name(scene.name)}.blend"


def _may_replace(scene: bpy.types.Scene, job_dir: Path) -> bool:
    """Whether the folder holds an earlier or interrupted capture of this scene, and not somebody else's job."""
    try:
        return load_job(job_dir).shot.name == scene.name
    except BadJobError:
        return not (job_dir / "output").exists()  # an interrupted capture has neither job.json nor results
