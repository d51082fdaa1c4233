"""Commands that need no scene but a folder: status, resume, redo, deflicker; and export-strip, which fills one."""

from __future__ import annotations

import argparse
import threading
from pathlib import Path

from ...protocol import JOURNAL_FILE, JobCancelledError, change_settings, load_job, output_path, read_journal
from ...protocol.lock import try_lock
from .. import api
from ..result.strip_render import render_strip
from .log import CommandLog, JobStatus
from .scene import scene_of


def resume(options: argparse.Namespace, log: CommandLog, cancelled: threading.Event) -> Path:
    """Run the worker on a job folder."""
    api.stylise(
        options.output,
        worker_python=options.worker_python,
        frames=options.frames,
        on_event=log.event,
        is_cancelled=cancelled.is_set,
    )
    log.note(f"stylised: {options.output / 'output'}")
    return options.output


def redo(options: argparse.Namespace, log: CommandLog, cancelled: threading.Event) -> Path:
    """Have some frames of a finished job restyled again."""
    job = load_job(options.output)
    api.redo(
        options.output,
        *options.frames,
        change_settings(job.settings_at(options.frames[0]), options.changes),
        worker_python=options.worker_python,
        on_event=log.event,
        is_cancelled=cancelled.is_set,
    )
    log.note(f"restyled again: {options.output / 'output'}")
    return options.output


def status(options: argparse.Namespace, log: CommandLog, cancelled: threading.Event) -> Path:
    """Tell what a job folder holds."""
    found = status_of(options.output)
    log.event(found)
    if not options.json:
        print(*_lines(found), sep="\n", flush=True)
    return options.output


def deflicker(options: argparse.Namespace, log: CommandLog, cancelled: threading.Event) -> Path:
    """Run the worker on folders of frames."""
    api.deflicker(
        options.style,
        options.output,
        guide_dir=options.guide,
        job_dir=options.job,
        mode=options.mode,
        window=options.window,
        device=options.device,
        worker_python=options.worker_python,
        on_event=log.event,
        is_cancelled=cancelled.is_set,
    )
    log.note(f"steady: {options.output}")
    return options.output


def export_strip(options: argparse.Namespace, log: CommandLog, cancelled: threading.Event) -> Path:
    """Render one strip of the sequencer into a folder."""

    def show(done: int, frame: int) -> None:
        if cancelled.is_set():
            raise JobCancelledError("cancelled")
        log.rendered(done, len(frames), frame)

    frames = range(options.frames[0], options.frames[1] + 1, options.step)
    render_strip(scene_of(options), options.strip, frames, options.output, show)
    return options.output


def status_of(job_dir: Path) -> JobStatus:
    """What a job folder holds. Raises BadJobError where it holds no job."""
    job, state = load_job(job_dir), read_journal(job_dir)
    frames = job.shot.frames
    finished = tuple(frame for frame in frames if state.is_finished(output_path(job_dir, frame)))
    is_complete = len(finished) == len(frames)
    step = job.settings.steps if is_complete else state.checkpoint.index + 1 if state.checkpoint else 0
    return JobStatus(
        str(job_dir),
        job.shot.name,
        job.shot.width,
        job.shot.height,
        job.settings.prompt,
        frames,
        finished,
        step,
        job.settings.steps,
        state.done and is_complete,
        _is_held(job_dir),
    )


def _is_held(job_dir: Path) -> bool:
    """Whether somebody holds the journal's lock, as a worker does for as long as it is at the job."""
    try:
        with (job_dir / JOURNAL_FILE).open("rb+") as file:
            return not try_lock(file)  # the lock goes with the file, at once
    except OSError:  # no journal, or one that cannot be written
        return False


def _lines(found: JobStatus) -> list[str]:
    """The same for people."""
    frames = found.frames
    lines = [
        f"{found.job_dir}: {found.shot}, {found.width}x{found.height}, frames {frames[0]}-{frames[-1]}",
        f"prompt: {found.prompt}",
        f"finished: {len(found.finished)} of {len(frames)} frames",
    ]
    if found.is_running:
        lines.append("a worker is at it now")
    if 0 < found.step and len(found.finished) < len(frames):
        lines.append(f"denoised: {found.step} of {found.step_count} steps")
    return lines
