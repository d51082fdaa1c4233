"""Commands that begin with the open scene: run, preview, export-job; and what follows a render of it."""

from __future__ import annotations

import argparse
import threading
import time
from pathlib import Path

import bpy

from ..protocol import BadJobError, JobCancelledError, load_job
from . import api, movie, saved
from .capture import CaptureStatus
from .child import ChildCapture
from .command_log import CommandLog, FileWritten
from .command_scene import frames_of, job_folder_of, scene_of, settings_of
from .job_folders import preview_folder
from .source_options import source_of
from .source_work import source_preparations
from .strip import find_edit_scene

PREVIEW_FRAMES = 4  # enough to see whether it holds steady


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
    start, end, step = saved.frame_range(scene)
    frames = range(start, end + 1, step)
    settings, job_dir = saved.settings(scene, frames), saved.job_folder(scene)
    api.check_ready(settings)
    for begin in source_preparations(scene, job_dir, frames, settings):
        _wait(begin(), log)
    api.stylise(job_dir, on_event=log.event)
    api.insert_strip(scene, job_dir)
    _save(job_dir / _file_name(scene), log)


def export_job(options: argparse.Namespace, log: CommandLog, cancelled: threading.Event) -> Path:
    """Bring source frames and exact passes into the job folder, unless it holds this very shot already."""
    job_dir = job_folder_of(options)
    _capture(options, job_dir, frames_of(options), log, cancelled)
    return job_dir


def preview(options: argparse.Namespace, log: CommandLog, cancelled: threading.Event) -> Path:
    """Stylise one frame of the shot, or four in a row, in a folder of their own; strips and file stay as they are."""
    api.check_ready(settings_of(options), options.worker_python)
    job_dir = options.output or preview_folder(job_folder_of(options))
    _capture(options, job_dir, _preview_frames(options), log, cancelled)
    _stylise(options, job_dir, log, cancelled)
    return job_dir


def _preview_frames(options: argparse.Namespace) -> range:
    """Those of the shot's frames that begin with the one asked for, as far as the shot has so many after it."""
    frames, count = frames_of(options), PREVIEW_FRAMES if options.four else 1
    wanted = scene_of(options).frame_current if options.frame is None else options.frame
    before = sum(frame < wanted for frame in frames)
    first = max(0, min(before, len(frames) - count))
    return frames[first : first + count]


def _capture(
    options: argparse.Namespace, job_dir: Path, frames: range, log: CommandLog, cancelled: threading.Event
) -> None:
    scene = scene_of(options)
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
        source=source_of(options, scene),
        frame_start=frames.start,
        frame_end=frames.stop - 1,
        frame_step=frames.step,
        overwrite=options.recapture or _may_replace(scene, job_dir),
        reuse=not options.recapture,
        on_status=show,
    )
    log.note("rendered" if rendered else f"{job_dir} already holds these frames: nothing is rendered again")


def _wait(capture: ChildCapture, log: CommandLog) -> None:
    """Wait for what another Blender renders."""
    shown = 0
    while (status := capture.tick()).state == "running":
        if status.renders_done > shown:
            shown = status.renders_done
            log.rendered(shown, status.render_count, status.frame)
        time.sleep(api.POLL_SECONDS)


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
