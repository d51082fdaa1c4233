"""What happens before the worker starts: renders, files that are fetched; one after the other, in steps."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from ..capture.run import CaptureStatus
from .progress import Progress, render_progress


class Preparation(Protocol):
    """What has to be rendered or fetched.

    One that takes long also has `pause` and `resume`, and `leave` where it can go on without this Blender.
    """

    def tick(self) -> CaptureStatus:
        """Do what can be done without waiting. Raises CaptureError when it failed."""

    def cancel(self) -> None:
        """Stop at the next moment; a later tick tells when it has."""

    def close(self) -> None:
        """End it now."""


class Preparations:
    """A row of preparations, each begun when the one before is done."""

    def __init__(self, starts: list[Callable[[], Preparation]]) -> None:
        """Begin with the first; what its start raises is raised here."""
        self._starts = list(starts)
        self._current: Preparation | None = None
        self._started_at = 0.0
        self._held_at = 0.0
        self._begin_next()

    @property
    def are_done(self) -> bool:
        """Whether nothing is left to prepare."""
        return self._current is None

    @property
    def can_pause(self) -> bool:
        """Whether what runs can be held; others are over in a moment."""
        return hasattr(self._current, "pause")

    def tick(self) -> Progress | None:
        """Go on without waiting, and tell how far it is; None when it was cancelled. Raises CaptureError."""
        status = self._current.tick()
        if status.state == "running":
            return render_progress(status, time.monotonic() - self._started_at)
        self._current = None
        if status.state != "done":
            return None
        self._begin_next()
        return Progress("Starting the worker" if self.are_done else "Starting", 0.0)

    def cancel(self) -> None:
        """Stop at the next moment; a later tick tells when it has."""
        self._current.cancel()

    def leave(self, worker_python: Path) -> bool:
        """Let what runs go on without this Blender, and the worker after it. False where that cannot be."""
        return not self._starts and hasattr(self._current, "leave") and self._current.leave(worker_python)

    def close(self) -> None:
        """End what runs, now."""
        if self._current is not None:
            self._current.close()

    def pause(self) -> None:
        """Hold what runs before its next frame."""
        self._current.pause()
        self._held_at = time.monotonic()

    def resume(self) -> None:
        """Let it go on."""
        self._current.resume()
        self._started_at += time.monotonic() - self._held_at  # the wait says nothing about the time left

    def _begin_next(self) -> None:
        self._current = self._starts.pop(0)() if self._starts else None
        self._started_at = time.monotonic()
