"""One job as the history keeps it: what was asked, where it lies, how it ended. Plain values, no bpy."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from ...protocol import Settings
from ...protocol.fields import JsonObject
from ...protocol.settings_reading import decode_settings

RESUMABLE = ("PAUSED", "CANCELLED", "FAILED")
"""States of a job that goes on where it stopped, when told so."""


@dataclass(frozen=True)
class JobRecord:
    """A job of a scene."""

    key: str
    """Tells it from every other job of the file."""
    name: str
    """For people."""
    folder: str
    """Absolute path of the job folder."""
    settings: str
    """How the shot, or the redone range of it, is stylised: JSON, as in job.json."""
    first: int
    """First scene frame."""
    last: int
    """Last scene frame."""
    step: int
    """Every how many-th frame."""
    kind: str = "SHOT"
    """"SHOT", or "REDO" for a range of a shot that is there already."""
    state: str = "WAITING"
    """One of `job_properties.STATES`."""
    message: str = ""
    """How it ended."""
    error_kind: str = ""
    """Of the error it ended with, see `protocol.errors`; empty without one."""
    source: str = ""
    """Where its frames come from, as `source.write_source` says it; empty: what the scene names."""
    created: str = ""
    """When it was asked for, local time."""
    turn: str = ""
    """Jobs wait in the order of this text: at first, when they were asked for, to the microsecond."""
    seconds: float = 0.0
    """How long it has run [s]."""

    @property
    def frames(self) -> range:
        """Scene frames."""
        return range(self.first, self.last + 1, self.step)

    @property
    def job_dir(self) -> Path:
        """The job folder."""
        return Path(self.folder)


def new_record(
    scene_name: str, job_dir: Path, frames: range, settings: Settings, *, kind: str = "SHOT", source: str = ""
) -> JobRecord:
    """A job that is asked for now."""
    now = datetime.now()
    prompt = " ".join(settings.prompt.split())
    words = prompt if len(prompt) <= 32 else prompt[:31] + "…"
    return JobRecord(
        key=secrets.token_hex(8),
        name=f"{'Redo' if kind == 'REDO' else scene_name}: {words}" if words else scene_name,
        folder=str(Path(job_dir).absolute()),
        settings=json.dumps(asdict(settings)),
        first=frames[0],
        last=frames[-1],
        step=frames.step,
        kind=kind,
        source=source,
        created=now.strftime("%Y-%m-%d %H:%M:%S"),
        turn=now.strftime("%Y-%m-%d %H:%M:%S.%f"),
    )


def settings_of(record: JobRecord) -> Settings:
    """The settings of a job. Raises BadJobError where a newer version of the add-on wrote what this one cannot read."""
    value = {"settings": json.loads(record.settings)}
    return decode_settings(JsonObject(value, f"the job {record.name!r}", "", ("settings",)), "settings")
