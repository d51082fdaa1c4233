"""What runs after what: the jobs that wait, one after the other, and those that went on without Blender.

A job that fails does not keep the others waiting. One that the artist stops does: whoever cancels or pauses wants the
machine, and starts the queue again when it is free.
"""

from __future__ import annotations

from dataclasses import replace

import bpy

from ...client import has_traces
from ...protocol import DiffSynthError
from ..capture.checks import CaptureError
from . import history, pump
from .attach import Attachment
from .record import JobRecord
from .stylisation import begin
from .work import CAPTURE_KIND, Work


class _Queue:
    """Whether waiting jobs are started one after the other."""

    is_on = False


def is_on() -> bool:
    """Whether waiting jobs are started one after the other."""
    return _Queue.is_on


def waiting() -> list[tuple[bpy.types.Scene, JobRecord]]:
    """The jobs of the whole file that wait, the next one first."""
    return sorted(reversed(list(history.everywhere("WAITING"))), key=lambda pair: _turn(pair[1]))


def waiting_in(scene: bpy.types.Scene) -> list[JobRecord]:
    """Those of one scene."""
    return [record for owner, record in waiting() if owner == scene]


def move(scene: bpy.types.Scene, record: JobRecord, by: int) -> None:
    """Have a waiting job change places with the one of its scene that waits before it (-1) or after it (1), if any."""
    jobs = waiting_in(scene)
    place = jobs.index(record)
    if 0 <= place + by < len(jobs):
        other = jobs[place + by]
        history.put(scene, replace(record, turn=_turn(other)))
        history.put(scene, replace(other, turn=_turn(record)))


def turn_on() -> None:
    """Start waiting jobs from now on; the first one now, if nothing runs."""
    _Queue.is_on = True
    if not pump.is_running():
        work = _first_waiting()
        if work is not None:
            pump.start(work)


def turn_off() -> None:
    """Start nothing more; what runs goes on."""
    _Queue.is_on = False


def after(ended: Work) -> Work | None:
    """What follows a work that has ended by itself."""
    if ended.state == "cancelled":
        turn_off()
        return None
    for scene, record in history.everywhere("DETACHED"):
        if has_traces(record.job_dir):
            return Attachment(scene, record)
    return _first_waiting() if _Queue.is_on else None


def _first_waiting() -> Work | None:
    """Start the first job that can be started; those before it have failed, and the queue ends with the last one."""
    for scene, record in waiting():
        try:
            return begin(scene, record, reuse_capture=scene.diffsynth.reuse_capture)
        except (CaptureError, DiffSynthError) as error:
            kind = getattr(error, "kind", CAPTURE_KIND)
            history.note(scene.session_uid, record, state="FAILED", message=str(error), error_kind=kind)
    turn_off()
    return None


def _turn(record: JobRecord) -> str:
    return record.turn or record.created  # an older version gave no turns


def register() -> None:
    """Have the pump ask what follows."""
    turn_off()
    pump.follow_with(after)


def unregister() -> None:
    """Nothing follows any more."""
    pump.follow_with(None)
