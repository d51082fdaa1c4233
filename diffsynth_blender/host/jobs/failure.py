"""The last thing that was refused or failed, kept for its remedies and for bug reports. Never saved with the file."""

from __future__ import annotations

import platform
import traceback
from dataclasses import dataclass
from pathlib import Path

import bpy

from ... import __version__
from ...protocol.traces import log_path
from .work import CAPTURE_KIND, Work

LOG_CHARACTERS = 20_000  # of the log's end


@dataclass(frozen=True)
class Failure:
    """Why something could not be done."""

    scene_uid: int
    kind: str
    """Of a `DiffSynthError`, or `CAPTURE_KIND`."""
    message: str
    """One sentence."""
    details: str = ""
    """Where it happened, several lines; empty where the message says it all."""
    notes: tuple[str, ...] = ()
    """What the worker found worth telling before."""
    job_dir: Path | None = None


class _Last:
    failure: Failure | None = None


def tell(operator: bpy.types.Operator, scene: bpy.types.Scene, error: Exception) -> None:
    """Report why a button did nothing, and keep it for the panel."""
    details = "".join(traceback.format_exception(error))
    _Last.failure = Failure(scene.session_uid, getattr(error, "kind", CAPTURE_KIND), str(error), details)
    operator.report({"ERROR"}, str(error))


def keep(scene_uid: int, work: Work, job_dir: Path | None) -> None:
    """Keep why a work has failed."""
    _Last.failure = Failure(scene_uid, work.kind, work.message, work.details, tuple(work.notes), job_dir)


def clear() -> None:
    """Forget it: something else was started."""
    _Last.failure = None


def last(scene: bpy.types.Scene) -> Failure | None:
    """What was refused or failed last, where it was this scene's."""
    failure = _Last.failure
    return failure if failure is not None and failure.scene_uid == scene.session_uid else None


def report(failure: Failure) -> str:
    """Everything that somebody needs who looks for the reason, as text."""
    lines = [
        f"DiffSynth {__version__}, Blender {bpy.app.version_string}, {platform.platform()}",
        f"{failure.kind}: {failure.message}",
    ]
    if failure.job_dir is not None:
        lines.append(f"Job folder: {failure.job_dir}")
    lines += [f"Note: {note}" for note in failure.notes]
    if failure.details.strip():
        lines += ["", failure.details.rstrip()]
    log = failure.job_dir and log_path(failure.job_dir)
    if log and log.is_file():
        said = log.read_text(errors="replace")[-LOG_CHARACTERS:]
        lines += ["", "Log of the worker that went on without Blender:", said.rstrip()]
    return "\n".join(lines) + "\n"
