"""How far a job is, in words for the artist."""

from __future__ import annotations

from dataclasses import dataclass

from ...protocol import JobProgress
from ...protocol.messages import RENDER_STAGE
from ..capture.run import CaptureStatus

STAGE_NAMES = {
    RENDER_STAGE: "Rendering",
    "load": "Loading the model",
    "passes": "Reading passes",
    "motion": "Finding motion",
    "noise": "Anchoring noise",
    "baseline": "Independent frames",
    "denoise": "Denoising",
    "write": "Writing frames",
    "repair": "Restyling what key frames hide",
    "redo": "Restyling again",
    "check": "Reading frames",
    "deflicker": "Making frames steady",
    "measure": "Measuring",
}


@dataclass(frozen=True)
class Progress:
    """What the panel shows of a job."""

    text: str
    factor: float
    """Of the stage that runs, 0 to 1."""
    seconds_left: float | None = None
    """Estimated time to the end of the stage [s]; None while unknown."""

    @property
    def line(self) -> str:
        """Everything in one line, such as "Denoising 5/20, 1:20 left"."""
        if not self.seconds_left:
            return self.text
        minutes, seconds = divmod(round(self.seconds_left), 60)
        hours, minutes = divmod(minutes, 60)
        left = f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
        return f"{self.text}, {left} left"


def worker_progress(event: JobProgress) -> Progress:
    """What the worker tells: stage, step, frame where there is one, time left."""
    text = f"{STAGE_NAMES[event.stage]} {event.step}/{event.step_count}"
    if event.frame is not None:
        text += f", frame {event.frame}"
    return Progress(text, event.step / event.step_count, event.seconds_left)


def render_progress(status: CaptureStatus, elapsed: float) -> Progress:
    """What a render tells that has run for so long [s]."""
    done, count = status.renders_done, max(1, status.render_count)
    left = elapsed / done * (count - done) if done else None
    return Progress(f"Rendering frame {status.frame}", done / count, left)
