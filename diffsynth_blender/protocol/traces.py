"""Files by which a job shows itself while it runs: pictures to look at, and the events of a worker without a host."""

import platform
import re
from pathlib import Path

from .job import CACHE_FOLDER

PICTURES_FOLDER = "pictures"
"""Where it exists in a job folder, the worker fills it with what the model sees: see `picture_path`."""


def latest_path(job_dir: Path) -> Path:
    """A small picture of the latest frame, as far as it has come; replaced again and again while a job runs."""
    return Path(job_dir) / CACHE_FOLDER / "latest.png"


def picture_path(job_dir: Path, kind: str, frame: int) -> Path:
    """What the worker shows of a frame: "motion", "visibility", or "control-" and the kind of a control."""
    return Path(job_dir) / PICTURES_FOLDER / kind / f"{frame:04d}.png"


def events_path(job_dir: Path) -> Path:
    """Where a worker that was started on this machine without a host tells what it does; locked as long as it lives.

    Each machine has its own: a process id means nothing on another one that sees the same disk.
    """
    machine = re.sub(r"[^\w-]", "_", platform.node()) or "here"
    return Path(job_dir) / CACHE_FOLDER / f"events-{machine}.jsonl"


def log_path(job_dir: Path) -> Path:
    """What that worker writes to stderr."""
    return events_path(job_dir).with_suffix(".log")
