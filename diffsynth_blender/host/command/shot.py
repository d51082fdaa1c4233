"""Commands that begin with the open scene: run, preview, export-job."""

from __future__ import annotations

import argparse
import shutil
import threading
from pathlib import Path

import bpy

from ...protocol import BadJobError, JobCancelledError, load_job
from ...protocol.event_file import open_event_file
from ...protocol.traces import PICTURES_FOLDER
from .. import api
from ..capture.capture import CaptureStatus
from ..capture.second_blender import hand_over
from ..jobs.folders import preview_folder
from ..jobs.worker_job import check_device
from ..source.options import source_of
from .log import CommandLog
from .result import place, save_copy, write_movie
from .scene import frames_of, job_folder_of, scene_of, settings_of

PREVIEW_FRAMES = 4  # enough to see whether it holds steady


def run(options: argparse.Namespace, log: CommandLog, cancelled: threading.Event) -> Path:
    """Capture, stylise, put the result in its place, save."""
    _check(options)
    job_dir = export_job(options, log, cancelled)
    _stylise(options, job_dir, log, cancelled)
    scene = scene_of(options)
    place(scene, job_dir, log, placement=options.place)
    if options.movie:
        write_movie(job_dir, log)
    if not options.no_save:
        save_copy(scene, options.save or job_dir, log)
    return job_dir


def export_job(options: argparse.Namespace, log: CommandLog, cancelled: threading.Event) -> Path:
    """Bring source frames and exact passes into the job folder, unless it holds this very shot already.

    Where who waited for it has left meanwhile, stylise it as well (see capture/second_blender.py).
    """
    job_dir = job_folder_of(options)
    _capture(options, job_dir, frames_of(options), log, cancelled)
    if options.attended is not None:
        options.worker_python = hand_over(options.attended)
        if options.worker_python is None:
            log.write_events_to(None)  # the end of the render is not that of the job
        else:
            bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)  # memory is the worker's now
            _stylise(options, job_dir, log, cancelled)
    return job_dir


def preview(options: argparse.Namespace, log: CommandLog, cancelled: threading.Event) -> Path:
    """Stylise one frame of the shot, or four in a row, in a folder of their own; strips and file stay as they are."""
    _check(options)
    job_dir = options.output or preview_folder(job_folder_of(options))
    _capture(options, job_dir, _preview_frames(options), log, cancelled)
    pictures = job_dir / PICTURES_FOLDER  # where there is one, the worker fills it
    shutil.rmtree(pictures, ignore_errors=True)
    pictures.mkdir()
    _stylise(options, job_dir, log, cancelled)
    log.note(f"control pictures, motion and visibility: {pictures}")
    return job_dir


def _check(options: argparse.Namespace) -> None:
    """Find what is certain to fail later before rendering for hours. Raises DiffSynthError."""
    settings = settings_of(options)
    api.check_ready(settings, options.worker_python)
    check_device(settings.device, options.worker_python)


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

    def start() -> None:
        if options.events is not None:
            log.write_events_to(open_event_file(options.events))

    def show(status: CaptureStatus) -> None:
        nonlocal rendered
        if cancelled.is_set():
            again = "without --recapture the same command" if options.recapture else "the same command"
            raise JobCancelledError(f"cancelled during the render; {again} goes on where it stopped")
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
        on_start=start,
        on_status=show,
    )
    log.note("rendered" if rendered else f"{job_dir} already holds these frames: nothing is rendered again")


def _stylise(options: argparse.Namespace, job_dir: Path, log: CommandLog, cancelled: threading.Event) -> None:
    api.stylise(job_dir, worker_python=options.worker_python, on_event=log.event, is_cancelled=cancelled.is_set)
    log.note(f"stylised: {job_dir / 'output'}")


def _may_replace(scene: bpy.types.Scene, job_dir: Path) -> bool:
    """Whether the folder holds an earlier or interrupted capture of this scene, and not somebody else's job."""
    try:
        return load_job(job_dir).shot.name == scene.name
    except BadJobError:
        return not (job_dir / "output").exists()  # an interrupted capture has neither job.json nor results
