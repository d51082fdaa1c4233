"""The command check: does this installation work, and can the open shot be stylised?"""

from __future__ import annotations

import argparse
import subprocess
import threading

import bpy

from ... import __version__
from ...client.environment import worker_environment
from ...protocol import DeviceMissingError, DiffSynthError, JobCancelledError, WorkerDiedError
from .. import saved
from ..capture.checks import CaptureError
from ..jobs.worker_job import PACKAGE_ROOT, check_ready
from ..preferences import worker_python
from ..source.source import chosen_source
from ..source.work import check_source
from .log import CommandLog
from .scene import scene_of

POLL_SECONDS = 0.1


def check(options: argparse.Namespace, log: CommandLog, cancelled: threading.Event) -> None:
    """Report on this Blender, the worker and the shot; the worker's own self-test computes a frame.

    Raises DeviceMissingError where the worker does not work. A shot that is not ready is told and is no failure:
    an installation can be checked without one.
    """
    log.note(f"Blender {bpy.app.version_string}, DiffSynth {__version__}")
    log.note(f"shot: {_shot(options)}")
    _check_worker(options, log, cancelled)


def _shot(options: argparse.Namespace) -> str:
    """What would be stylised, or why nothing can be."""
    scene = scene_of(options)
    name = repr(scene.name)
    start, end, step = saved.frame_range(scene)
    frames = range(start, end + 1, step)
    try:
        check_source(scene, chosen_source(scene), frames)
        check_ready(saved.settings(scene, frames), options.worker_python)
    except (CaptureError, DiffSynthError) as error:
        return f"scene {name} cannot be stylised as it is: {error}"
    return f"scene {name}, frames {frames[0]}-{frames[-1]}, can be stylised"


def _check_worker(options: argparse.Namespace, log: CommandLog, cancelled: threading.Event) -> None:
    python = worker_python(options.worker_python)
    with _started([str(python), "-u", "-m", "diffsynth_blender.worker", "check"]) as process:
        reader = threading.Thread(target=_tell, args=(process, log), name="DiffSynth check")
        reader.start()
        while reader.is_alive():
            reader.join(POLL_SECONDS)
            if cancelled.is_set():
                process.kill()
    if cancelled.is_set():
        raise JobCancelledError("cancelled")
    if process.returncode:
        raise DeviceMissingError(f"{python}: this worker does not work; the lines above say why")


def _started(command: list[str]) -> subprocess.Popen[str]:
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "text": True, "errors": "replace"}
    try:
        return subprocess.Popen(command, env=worker_environment(PACKAGE_ROOT), **pipes)
    except OSError as error:
        raise WorkerDiedError(
            f"{command[0]}: cannot be started: {error.strerror}; choose the worker's Python"
        ) from None


def _tell(process: subprocess.Popen[str], log: CommandLog) -> None:
    for line in process.stdout:
        log.note(" ".join(line.split()))
