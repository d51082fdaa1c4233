"""Which frames of a job a run computes and which it writes."""

from dataclasses import dataclass

from ..protocol import BadJobError, Job


@dataclass(frozen=True)
class Selection:
    """Frames of one run, as scene frame numbers, rising."""

    written: tuple[int, ...]
    """Those asked for."""
    computed: tuple[int, ...]
    """The same with their neighbours in the window, which steady them."""

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
    low = max(0, every.index(written[0]) - window)
    high = every.index(written[-1]) + window
    return Selection(written, every[low : high + 1])
