"""The job file: what one shot is, how to restyle it, what to redo. Reading is strict; what was saved can be read.

A job folder holds everything a job needs and everything it makes:

    job.json  source/0001.png  passes/0001.exr  passes/0001.objects.json
    output/0001.png  baseline/0001.png  journal.jsonl  cache/  report.json

Files of frames are named by scene frame number. Nothing here opens an image.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from .errors import BadJobError
from .fields import JsonObject
from .files import write_bytes_atomic
from .reading import read_json
from .settings import Settings
from .settings_reading import decode_settings
from .shot import Shot, decode_shot, encode_shot

JOB_FILE = "job.json"
JOB_FORMAT = "diffsynth-job"
JOB_VERSION = 3
REPORT_FILE = "report.json"
CACHE_FOLDER = "cache"


@dataclass(frozen=True)
class Redo:
    """A range of frames to restyle again with other settings, against its finished neighbours."""

    first: int
    """First scene frame, one of the shot's."""
    last: int
    """Last scene frame, one of the shot's, not before `first`."""
    settings: Settings
    """How these frames are restyled."""


@dataclass(frozen=True)
class Job:
    """The content of job.json."""

    shot: Shot
    settings: Settings
    redos: tuple[Redo, ...] = ()
    """What is redone once the shot is finished, in this order."""

    def settings_at(self, frame: int) -> Settings:
        """How a scene frame is restyled: by the last redo that covers it, or with the whole shot."""
        covering = [redo.settings for redo in self.redos if redo.first <= frame <= redo.last]
        return covering[-1] if covering else self.settings


def output_path(job_dir: Path, frame: int) -> Path:
    """The result of a frame."""
    return Path(job_dir) / "output" / f"{frame:04d}.png"


def baseline_path(job_dir: Path, frame: int) -> Path:
    """The result of a frame restyled on its own, where `Settings.baseline` asks for it."""
    return Path(job_dir) / "baseline" / f"{frame:04d}.png"


def load_job(job_dir: Path) -> Job:
    """Read JOB/job.json. Raises `BadJobError` naming file, key and remedy."""
    path = Path(job_dir) / JOB_FILE
    value = read_json(path, remedy="write it again", missing=f"give the folder that holds {JOB_FILE}")
    return _decode_job(value, str(path))


def save_job(job: Job, job_dir: Path) -> Path:
    """Write JOB/job.json in one piece and return its path; the folder is made. Raises `BadJobError` before writing."""
    path = Path(job_dir) / JOB_FILE
    value = _encode_job(_decode_job(_encode_job(job), str(path)))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes_atomic(path, (json.dumps(value, indent=1, allow_nan=False) + "\n").encode())
    return path


def add_redo(job_dir: Path, first: int, last: int, settings: Settings) -> Job:
    """Have a range of frames of a job restyled with other settings; the next run does it. Raises `BadJobError`."""
    job = with_redo(load_job(job_dir), first, last, settings)
    save_job(job, job_dir)
    return job


def with_redo(job: Job, first: int, last: int, settings: Settings) -> Job:
    """The job with a range of frames redone, once where the same is asked for again. Raises `BadJobError`."""
    redo = Redo(first, last, settings)
    if job.redos[-1:] != (redo,):  # else it was asked for before, and not finished maybe
        job = replace(job, redos=(*job.redos, redo))
    check_redos(job)
    return _decode_job(_encode_job(job), JOB_FILE)


def check_redos(job: Job) -> None:
    """Raise BadJobError for a redo that does not fit to its finished neighbours."""
    for number, redo in enumerate(job.redos):
        for key, wanted, remedy in (
            ("upscale", job.settings.upscale, "give it the value of the shot's"),
            ("key_frames", None, "set it to null"),
        ):
            value = getattr(redo.settings, key)
            if value != wanted:
                raise BadJobError(f"{JOB_FILE}: redos[{number}].settings.{key} cannot be {value} in a redo; {remedy}")


def settings_hash(job: Job) -> str:
    """SHA-256 (hexadecimal) of all that decides the result: shot and settings, without device and render time.

    Redos are no part of it: finished frames outside a redone range stay as they are.
    """
    # Through the decoder, so that a job made in Python (strength=1) and the same job read back (1.0) agree.
    value = _encode_job(_decode_job(_encode_job(job), JOB_FILE))
    del value["redos"], value["settings"]["device"]
    del value["shot"]["render_seconds"]
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _encode_job(job: Job) -> dict:
    parts = {
        "shot": encode_shot(asdict(job.shot)),
        "settings": asdict(job.settings),
        "redos": [asdict(redo) for redo in job.redos],
    }
    return {"format": JOB_FORMAT, "version": JOB_VERSION, **_lists(parts)}


def _lists(value: Any) -> Any:
    """The same with lists for tuples, as JSON reads them."""
    if isinstance(value, dict):
        return {key: _lists(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_lists(item) for item in value]
    return value


def _decode_job(value: object, file: str) -> Job:
    # Format and version first: a file of a newer version has keys that this version cannot judge.
    if not isinstance(value, dict) or value.get("format") != JOB_FORMAT:
        raise BadJobError(f"{file}: not a job file; its format must be {JOB_FORMAT!r}")
    version = value.get("version")
    if isinstance(version, int) and version > JOB_VERSION:
        raise BadJobError(
            f"{file}: written in job format version {version}, this version of DiffSynth reads version {JOB_VERSION}; "
            "update the worker or export the job again"
        )
    top = JsonObject(value, file, "", ("format", "version", "shot", "settings", "redos"))
    top.integer("version", JOB_VERSION, JOB_VERSION)
    shot = decode_shot(top, "shot")
    return Job(shot, decode_settings(top, "settings"), _decode_redos(top, shot))


def _decode_redos(top: JsonObject, shot: Shot) -> tuple[Redo, ...]:
    redos = []
    for redo in top.children("redos", tuple(field.name for field in fields(Redo))):
        first = redo.integer("first", shot.frames[0], shot.frames[-1])
        last = redo.integer("last", first, shot.frames[-1])
        for key, frame in (("first", first), ("last", last)):
            if frame not in shot.frames:
                raise redo.error(key, "a frame of the shot")
        redos.append(Redo(first, last, decode_settings(redo, "settings")))
    return tuple(redos)
