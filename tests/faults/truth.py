"""What a run without interruption leaves, which is what a run that was disturbed must come to."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from diffsynth_blender.protocol.lock import try_lock
from tests.faults.moments import Moment, moments_of
from tests.faults.worker_process import run_to_end

PICTURES = ("output", "baseline", ".")
"""Folders that hold what people look at; a deflickering writes into the folder itself."""


@dataclass(frozen=True)
class Scenario:
    """Something a worker does with a folder, and how it is gone on with."""

    prepare: Callable[[Path], Sequence[object]]
    """Makes the folder of a fresh job; returns the worker's arguments."""
    resume: Callable[[Path], Sequence[object]] | None = None
    """The worker's arguments after a kill; None for the same again."""
    folder: str = "."
    """Where the results lie, inside of what was prepared."""


@dataclass(frozen=True)
class Truth:
    """What a run without interruption leaves."""

    frames: dict[str, str]
    """SHA-256 of every picture that people look at, by its path in the folder."""
    before: dict[str, str]
    """The same before the run."""
    files: frozenset[str]
    """Every file."""
    report: dict
    moments: tuple[Moment, ...]
    seconds: float


def frames_of(folder: Path) -> dict[str, str]:
    """SHA-256 of every frame that is there under its final name."""
    paths = [path for name in PICTURES for path in sorted((folder / name).glob("[!.]*.png"))]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def files_of(folder: Path) -> frozenset[str]:
    """Paths of every file in the folder."""
    return frozenset(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def report_of(folder: Path) -> dict:
    """What the report says, without how long it took and what happened on the way."""
    report = json.loads((folder / "report.json").read_text())
    return {key: value for key, value in report.items() if key not in ("seconds", "notes")}


def is_free(folder: Path) -> bool:
    """Whether nobody holds the lock of a job folder."""
    try:
        with (folder / "journal.jsonl").open("rb+") as file:
            return try_lock(file)
    except FileNotFoundError:
        return True


def steps_done_again(folder: Path) -> list[str]:
    """Checkpoints that the journal has more than once."""
    lines = map(json.loads, (folder / "journal.jsonl").read_text().splitlines())
    entered = Counter(line["file"] for line in lines if line["event"] == "step")
    return [file for file, number in entered.items() if number > 1]


def learn(scenario: Scenario, root: Path) -> Truth:
    """Run a scenario without interruption."""
    arguments = scenario.prepare(root)
    folder = root / scenario.folder
    before = frames_of(folder)
    worker = run_to_end(*arguments)
    assert worker.returncode == 0, worker.stderr
    moments = moments_of(worker.events, worker.times)
    return Truth(
        frames_of(folder), before, files_of(folder), report_of(folder), tuple(moments), sum(m.seconds for m in moments)
    )
