"""The whole product as a few calls, for scripts inside Blender and for the bpy module.

    job_dir = api.capture(scene)
    api.stylise(job_dir)
    strip = api.insert_strip(scene, job_dir)

These three are the whole way; `redo` and `deflicker` stand beside it. Each blocks until it is done; the interface does
the same in steps (see `jobs/work.py`). docs/pipeline.md tells of them to those who write scripts.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import bpy

from ..protocol import DEFAULT_MODE, DEFAULT_WINDOW, Event, JobCancelledError, JobDone, Settings
from . import saved
from .capture.capture import CaptureStatus
from .capture.reuse import change_settings, enter_redo, is_unchanged, record_origin, was_interrupted
from .jobs.worker_job import POLL_SECONDS, check_ready, new_session, wait_for_job
from .result.strip import insert_strip
from .source.source import Source, chosen_source
from .source.work import capture_of, check_controls

__all__ = ["POLL_SECONDS", "capture", "check_ready", "deflicker", "insert_strip", "new_session", "redo", "stylise"]


def capture(
    scene: bpy.types.Scene,
    job_dir: Path | str | None = None,
    *,
    settings: Settings | None = None,
    source: Source | None = None,
    frame_start: int | None = None,
    frame_end: int | None = None,
    frame_step: int | None = None,
    overwrite: bool = False,
    reuse: bool = False,
    on_start: Callable[[], None] | None = None,
    on_status: Callable[[CaptureStatus], None] | None = None,
) -> Path:
    """Render source frames and exact passes of a scene into a job folder; returns the folder.

    Args:
        scene: The artist's scene; afterwards it is as it was.
        job_dir: The job folder; by default the one that the artist chose for the scene.
        settings: How the shot will be stylised; by default as the artist chose.
        source: Where the frames come from (see `source/source.py`); what the artist chose in the scene, by default.
        frame_start: First scene frame; by default as the artist chose, as for the next two.
        frame_end: Last scene frame.
        frame_step: Stylise every how many-th frame.
        overwrite: Replace a job that the folder already holds.
        reuse: Render nothing if the folder holds this very shot already (see `capture/reuse.py`), only change its
            settings; where a render of it was interrupted, only what is left.
        on_start: Called before the first render, when the folder is ready for the shot.
        on_status: Called after every render. An exception from it cancels the capture.

    Raises:
        BadJobError: A choice of the artist's is incomplete, or the add-on that keeps them is not registered.
        CaptureError: The scene, its source or the folder is refused, or a render failed.
        JobBusyError: A worker or another Blender is at the folder.
        JobCancelledError: The render was cancelled in Blender.
    """
    start, end, step = saved.frame_range(scene)
    start = start if frame_start is None else frame_start
    end = end if frame_end is None else frame_end
    step = step if frame_step is None else frame_step
    frames = range(start, end + 1, step) if step > 0 else range(0)
    job_dir = saved.job_folder(scene) if job_dir is None else Path(job_dir).resolve()
    settings = saved.settings(scene, frames) if settings is None else settings
    source = chosen_source(scene) if source is None else source
    check_controls(source, settings)
    if reuse and is_unchanged(scene, job_dir, frames, source):
        change_settings(job_dir, settings)
        return job_dir
    go_on = reuse and was_interrupted(scene, job_dir, frames, source)
    capturing = capture_of(scene, job_dir, source, frames, settings, overwrite=overwrite, go_on=go_on)
    try:
        record_origin(scene, job_dir, frames, source)
        if on_start:
            on_start()
        for status in capturing.run_blocking():
            if on_status:
                on_status(status)
    finally:
        capturing.close()
    if capturing.status.state != "done":
        raise JobCancelledError("the render was cancelled; capture again")
    return job_dir


def stylise(
    job_dir: Path | str,
    *,
    worker_python: Path | str | None = None,
    frames: tuple[int, int] | None = None,
    on_event: Callable[[Event], None] | None = None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> JobDone:
    """Run or resume a job folder in a worker process of its own, and wait for its end.

    Args:
        job_dir: The job folder.
        worker_python: The worker's interpreter; by default the preference, else the environment variable.
        frames: First and last scene frame to write; all by default.
        on_event: Receives every progress event and finished frame.
        is_cancelled: Asked all the time; once true, the job stops at its next step.

    Raises:
        DiffSynthError: Of the kind that says why the job did not end well; finished frames stay.
    """
    folder = Path(job_dir).resolve()
    return wait_for_job(lambda session: session.submit(folder, frames), worker_python, on_event, is_cancelled)


def redo(
    job_dir: Path | str,
    first: int,
    last: int,
    settings: Settings,
    *,
    worker_python: Path | str | None = None,
    on_event: Callable[[Event], None] | None = None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> JobDone:
    """Restyle a range of frames of a finished job again, against its finished neighbours, which stay as they are.

    Args:
        job_dir: The job folder.
        first: First scene frame of the range, one of the shot's.
        last: Last scene frame of the range, one of the shot's.
        settings: How these frames are restyled; `load_job(job_dir).settings_at(first)` tells how they were.
        worker_python: As for `stylise`, as the next two.
        on_event: Receives every progress event and finished frame.
        is_cancelled: Asked all the time; once true, the job stops at its next step.

    Raises:
        DiffSynthError: Of the kind that says why the job did not end well; finished frames stay.
    """
    enter_redo(Path(job_dir), first, last, settings)
    return stylise(job_dir, worker_python=worker_python, on_event=on_event, is_cancelled=is_cancelled)


def deflicker(
    style_dir: Path | str,
    output_dir: Path | str,
    *,
    guide_dir: Path | str | None = None,
    job_dir: Path | str | None = None,
    mode: str = DEFAULT_MODE,
    window: int = DEFAULT_WINDOW,
    device: str = "auto",
    worker_python: Path | str | None = None,
    on_event: Callable[[Event], None] | None = None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> JobDone:
    """Make the frames of a folder steady, or go on with it, in a worker process of its own, and wait for its end.

    Files are matched by the frame number in their names. Exactly one of `guide_dir` and `job_dir` is given.

    Args:
        style_dir: The frames to make steady; in mode "keyframes" the key frames.
        output_dir: Receives `0001.png`..., the journal and report.json.
        guide_dir: Frames that show what moves where, such as the plain render; may be `style_dir`.
        job_dir: A job folder, whose source frames are the guide and whose passes give the exact motion.
        mode: "fast", "balanced", "accurate", or "keyframes": all frames from a few painted ones.
        window: Neighbours on either side that take part [frames].
        device: "auto", "cpu" or "cuda".
        worker_python: As for `stylise`, as the next two.
        on_event: Receives every progress event and finished frame.
        is_cancelled: Asked all the time; once true, the job stops at its next frame.

    Raises:
        DiffSynthError: Of the kind that says why the job did not end well; finished frames stay.
    """

    def folder(path: Path | str | None) -> Path | None:
        return None if path is None else Path(path).resolve()

    return wait_for_job(
        lambda session: session.submit_deflicker(
            Path(style_dir).resolve(),
            Path(output_dir).resolve(),
            guide_dir=folder(guide_dir),
            job_dir=folder(job_dir),
            mode=mode,
            window=window,
            device=device,
        ),
        worker_python,
        on_event,
        is_cancelled,
    )
