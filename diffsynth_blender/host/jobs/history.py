"""The jobs that a scene remembers: entered, kept up to date, found again.

The list is saved with the file and undone like everything else in it; what a job really did is not. So whatever this
session learned of a job is kept here too, and written into the list again after an undo; and what a file says of a job
that was under way when it was saved is checked against the job's folder when it is opened.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, fields, replace

import bpy

from ...client import DetachedWorker, has_traces, is_detached
from ...protocol import JOURNAL_FILE, JobCancelled, JobDone, JobFailed
from ..capture.scene_state import find_block
from ..source.source import StripSource, write_source
from .record import JobRecord

KEPT = 50
"""Jobs of a scene; older ones are forgotten, their folders stay."""


class _Session:
    """What happened since Blender was started, or a file loaded."""

    records: dict[str, JobRecord] = {}  # by key


def records(scene: bpy.types.Scene) -> list[JobRecord]:
    """The jobs of a scene, the newest first."""
    return [_record(item) for item in scene.diffsynth.jobs.list]


def find(scene: bpy.types.Scene, key: str) -> JobRecord | None:
    """A job by its key."""
    return next((record for record in records(scene) if record.key == key), None)


def active(scene: bpy.types.Scene) -> JobRecord | None:
    """The job that is marked in the list."""
    jobs = scene.diffsynth.jobs
    return _record(jobs.list[jobs.active]) if jobs.active < len(jobs.list) else None


def everywhere(*states: str) -> Iterator[tuple[bpy.types.Scene, JobRecord]]:
    """Every job of the file that is in one of the states; in any, where none is given."""
    for scene in bpy.data.scenes:
        for item in scene.diffsynth.jobs.list:
            if not states or item.state in states:
                yield scene, _record(item)


def has_job_of(strip: bpy.types.Strip) -> bool:
    """Whether a job of the strip's scene has stylised the strip itself."""
    source = write_source(StripSource(strip.name))
    return any(item.source == source for item in strip.id_data.diffsynth.jobs.list)


def put(scene: bpy.types.Scene, record: JobRecord) -> None:
    """Enter a job at the top and mark it, or write what has changed of it."""
    jobs = scene.diffsynth.jobs
    item = next((item for item in jobs.list if item.key == record.key), None)
    if item is None:
        item = jobs.list.add()
        jobs.list.move(len(jobs.list) - 1, 0)
        item = jobs.list[0]
        jobs.active = 0
        while len(jobs.list) > KEPT:
            jobs.list.remove(len(jobs.list) - 1)
    for name, value in asdict(record).items():
        # Only what differs: each write makes Blender redraw and tag the file as changed.
        if getattr(item, name) != value:
            setattr(item, name, value)
    _Session.records[record.key] = record


def forget(scene: bpy.types.Scene, key: str) -> None:
    """Take a job off the list. Its folder stays."""
    jobs = scene.diffsynth.jobs
    place = next((place for place, item in enumerate(jobs.list) if item.key == key), None)
    if place is not None:
        jobs.list.remove(place)
        jobs.active = max(0, min(jobs.active, len(jobs.list) - 1))
    _Session.records.pop(key, None)


def note(scene_uid: int, record: JobRecord, **changes: object) -> JobRecord:
    """What has become of a job, and the record of it; entered anew where an undo has taken it off the list."""
    record = replace(record, **changes)
    scene = find_block(bpy.data.scenes, scene_uid)
    if scene is not None:
        put(scene, record)
    return record


def restore_after_undo() -> None:
    """Write into the list again what an undo has taken back, though it happened."""
    for scene, record in list(everywhere()):
        known = _Session.records.get(record.key)
        if known is not None and known != record:
            put(scene, known)


def start_anew() -> None:
    """Forget what this session learned; another file is being loaded."""
    _Session.records.clear()


def check_after_load() -> list[tuple[bpy.types.Scene, JobRecord]]:
    """Correct what the file says of jobs that were under way when it was saved.

    Returns those that a detached worker is at, or has ended since: they can be followed to their end.
    """
    found = []
    for scene, record in list(everywhere("RUNNING", "DETACHED")):
        if is_detached(record.job_dir) or _ended_done(record):
            put(scene, replace(record, state="DETACHED"))
            found.append((scene, record))
        else:
            put(scene, replace(record, **_how_it_ended(record)))
    return found


def _ended_done(record: JobRecord) -> bool:
    """Whether a detached worker has come to a good end, which the file has seen nothing of."""
    return has_traces(record.job_dir) and any(isinstance(event, JobDone) for event in _told(record))


def _how_it_ended(record: JobRecord) -> dict[str, str]:
    """State, message and kind of error of a job that nobody is at any more."""
    for event in _told(record) if has_traces(record.job_dir) else ():
        if isinstance(event, JobFailed):
            return {"state": "FAILED", "message": event.message, "error_kind": event.kind}
        if isinstance(event, JobCancelled):
            break
    if _is_done(record):
        return {"state": "DONE", "message": f"Done; the frames are in {record.job_dir / 'output'}"}
    return {"state": "CANCELLED", "message": "Ended with Blender; Resume goes on where it stopped"}


def _told(record: JobRecord) -> list:
    return DetachedWorker(record.job_dir, start_seconds=0.0).poll()


def _is_done(record: JobRecord) -> bool:
    """Whether the journal ends with the end of the job. Not `read_journal`, which reads every file of the job."""
    try:
        lines = (record.job_dir / JOURNAL_FILE).read_bytes().splitlines()
        return bool(lines) and json.loads(lines[-1]) == {"event": "done"}
    except (OSError, ValueError):
        return False


def _record(item: bpy.types.PropertyGroup) -> JobRecord:
    return JobRecord(**{field.name: getattr(item, field.name) for field in fields(JobRecord)})
