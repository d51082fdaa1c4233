"""What all parts of a run share: the job folder and its journal, where progress goes, and the clock."""

from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np

from ..diffusion.denoise import JobInterrupted
from ..passes.images import write_png
from ..protocol import Checkpoint, Event, FrameDone, JobNote, JobProgress, Journal, JournalState, output_path
from ..protocol.traces import latest_path
from .latest import LatestPicture
from .report import Stopwatch


class RunContext:
    """One run of a job folder."""

    def __init__(
        self,
        job_dir: Path,
        journal: Journal,
        state: JournalState,
        on_event: Callable[[Event], None],
        is_cancelled: Callable[[], bool],
    ) -> None:
        self.job_dir = job_dir
        self.journal = journal
        self.state = state
        """What was finished when the run began."""
        self.is_cancelled = is_cancelled
        self.watch = Stopwatch()
        self.latest = LatestPicture(latest_path(job_dir))
        """What is shown of the frames on their way."""
        self.notes: list[str] = []
        """What was worth telling, for the report."""
        self.text: dict[str, str] = {}
        """What the next frames are made with, kept in their files; see frame_text.py."""
        self._on_event = on_event
        self._made: set[Path] = set()

    def progress(self, stage: str, step: int, step_count: int, frame: int | None = None) -> None:
        """Tell how far a stage is."""
        self._on_event(JobProgress("", stage, step, step_count, frame))

    def note(self, text: str) -> None:
        """Tell something once, in one line."""
        if text not in self.notes:
            self.notes.append(text)
            self._on_event(JobNote("", text))

    def stop_if_cancelled(self) -> None:
        """Raise JobInterrupted where the job is to stop."""
        if self.is_cancelled():
            raise JobInterrupted

    def finish(self, path: Path, frame: int, pixels: np.ndarray) -> None:
        """Write a picture (H, W, 3), float32 in [0, 1] or uint8, and enter it in the journal; then it is finished."""
        with self.watch.part("write"):
            write_png(path, pixels, self.text)
            self.journal.frame_finished(frame, path)
        self._made.add(path)

    def finish_output(self, frame: int, pixels: np.ndarray) -> None:
        """Finish the result of a scene frame and tell of it."""
        path = output_path(self.job_dir, frame)
        self.finish(path, frame, pixels)
        self.latest.show(lambda: pixels)
        self._on_event(FrameDone("", frame, str(path)))

    def is_finished(self, path: Path, makers: Collection[str] | None = None) -> bool:
        """Whether a picture is finished: by this run, or before it by one of `makers`, or by any where None."""
        return path in self._made or self.state.is_finished(path, makers)

    def checkpoint(self, path_of: Callable[[int], Path]) -> Checkpoint | None:
        """The checkpoint to go on from: the newest whose file is that of its step."""
        return next((kept for kept in self.state.checkpoints if kept.path == path_of(kept.index)), None)
