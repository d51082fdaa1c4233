"""Which frames of a job a run computes and which it writes."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from ..protocol import BadJobError, Job


@dataclass(frozen=True)
class Selection:
    """Frames of one run, as scene frame numbers, rising."""

    written: tuple[int, ...]
    """Those asked for."""
    computed: tuple[int, ...]
    """The same with their neighbours in the window, which steady them."""
    keys: tuple[int, ...] | None = None
    """Those of `computed` that are restyled, where the others are made of them; None where all are."""

    @property
    def name(self) -> str:
        """For files that belong to these frames only."""
        return f"{self.computed[0]:04d}-{self.computed[-1]:04d}"

    def places(self, frames: list[int]) -> list[int]:
        """Indices of scene frames among those that are computed."""
        return [self.computed.index(frame) for frame in frames]


def select_frames(job: Job, frames: tuple[int, int] | None) -> Selection:
    """The frames of the job within first and last, both included; None for all. Raises BadJobError where none is."""
    every = job.shot.frames
    first, last = (every[0], every[-1]) if frames is None else frames
    written = tuple(frame for frame in every if first <= frame <= last)
    if not written:
        raise BadJobError(f"the job has no frame from {first} to {last}; its frames are {every[0]} to {every[-1]}")
    window = job.settings.deflicker.widest if job.settings.deflicker else 0
    if job.settings.key_frames is not None:
        return _with_keys(every, written, job.settings.key_frames.every, window)
    low = max(0, every.index(written[0]) - window)
    high = every.index(written[-1]) + window
    return Selection(written, every[low : high + 1])


def _with_keys(every: tuple[int, ...], written: tuple[int, ...], step: int, window: int) -> Selection:
    """Key frames around what is written, and as many more to either side as steady them."""
    keys = sorted({*every[::step], every[-1]})
    low = max(0, bisect_right(keys, written[0]) - 1 - window)
    high = min(len(keys) - 1, bisect_left(keys, written[-1]) + window)
    computed = tuple(frame for frame in every if keys[low] <= frame <= keys[high])
    return Selection(written, computed, tuple(keys[low : high + 1]))
