"""The command check: does this installation work, and can the open shot be stylised?"""

from __future__ import annotations

import argparse
import threading

import bpy

from ... import __version__
from ...protocol import DiffSynthError
from .. import saved
from ..capture.checks import CaptureError
from ..jobs.worker_job import check_ready
from ..preferences import worker_python
from ..source.source import chosen_source
from ..source.work import check_source
from ..worker_check import check_worker
from .log import CommandLog
from .scene import scene_of


def check(options: argparse.Namespace, log: CommandLog, cancelled: threading.Event) -> None:
    """Report on this Blender, the worker and the shot; the worker's own self-test computes a frame.

    Raises SetupError where the worker does not work. A shot that is not ready is told and is no failure:
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
    check_worker(python, lambda line: log.note(" ".join(line.split())), cancelled.is_set)
