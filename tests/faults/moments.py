"""When a worker is killed: the stretches between what it tells of a run, each with a name for people.

A run is cut where its events are: a stretch begins with one and lasts as long as it did in a run without interruption.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

Event = dict[str, Any]

NAMES = {
    "start": "starting",
    "passes": "reading passes",
    "load": "loading the model",
    "baseline": "making independent frames",
    "encode": "encoding the source frames",
    "motion": "finding motion",
    "denoise": "denoising",
    "decode": "decoding and blending",
    "write": "writing frames",
    "report": "writing the report",
    "redo": "redoing frames",
    "repair": "making frames between key frames",
    "check": "reading frames",
    "deflicker": "blending frames",
    "measure": "measuring the result",
}
"""What a worker does, by stage."""

BETWEEN = {("load", "motion"): "encode", ("baseline", "motion"): "encode", ("denoise", "write"): "decode"}
"""What is done between two stages, where it is not the first one that still goes on."""


@dataclass(frozen=True)
class Moment:
    """A stretch of a run."""

    stage: str
    """A key of `NAMES`."""
    mark: str | None
    """What the event says that it begins with, see `mark_of`; None for the start of the process."""
    seconds: float
    """How long it took."""

    @property
    def name(self) -> str:
        """The row of the table."""
        return f"worker killed while {NAMES[self.stage]}"

    def begins(self) -> Callable[[Event], bool]:
        """What recognises its first event."""
        return lambda event: mark_of(event) == self.mark


def mark_of(event: Event) -> str | None:
    """What runs have in common: a stage that begins or ends, a frame that is done, the end. None for the rest."""
    if event["type"] == "JobProgress":
        if event["step"] >= event["step_count"]:
            return f"{event['stage']} ends"
        return f"{event['stage']} begins"
    if event["type"] == "FrameDone":
        return "write"
    return "end" if event["type"] == "JobDone" else None


def moments_of(events: Sequence[Event], times: Sequence[float]) -> list[Moment]:
    """The stretches of a run by its events and when they came [s after the start]."""
    marks = [(mark, at) for event, at in zip(events, times, strict=True) if (mark := mark_of(event)) is not None]
    found: list[Moment] = []
    last: tuple[str | None, float] = (None, 0.0)
    for mark, at in marks:
        stage = _stage(last[0], mark)
        if found and found[-1].stage == stage:
            found[-1] = replace(found[-1], seconds=found[-1].seconds + at - last[1])
        else:
            found.append(Moment(stage, last[0], at - last[1]))
        last = (mark, at)
    return found


def _stage(before: str | None, after: str) -> str:
    if before is None:
        return "start"
    if after == "end":
        return "report"
    left, entered = before.split()[0], after.split()[0]
    return BETWEEN.get((left, entered), left)
