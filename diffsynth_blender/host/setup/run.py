"""A set-up that runs beside the interface: in a thread, looked at by a timer. At most one."""

from __future__ import annotations

import threading
from collections.abc import Callable

import bpy

from ...environment.errors import SetupCancelledError, SetupError
from ...environment.install import Step

TICK_SECONDS = 0.2  # the progress bar of a download need not be smoother

Task = Callable[[Callable[[Step], None], Callable[[], bool]], str]
"""Takes a report and what tells of a cancellation; returns the sentence to show at the end."""


class SetupRun:
    """One task under way, or ended."""

    def __init__(self, task: Task) -> None:
        self.step = Step("Starting", 0.0)
        self.message = ""
        """How it ended; empty until then."""
        self.is_error = False
        self._cancelled = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(task,), name="DiffSynth set-up")
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether it is under way."""
        return self._thread.is_alive()

    def cancel(self) -> None:
        """Ask it to stop."""
        self._cancelled.set()

    def close(self) -> None:
        """Stop it and wait; that takes a fraction of a second."""
        self._cancelled.set()
        self._thread.join()

    def _run(self, task: Task) -> None:
        try:
            self.message = task(self._report, self._cancelled.is_set)
        except SetupCancelledError as error:
            self.message = str(error)
        except SetupError as error:
            self.message, self.is_error = str(error), True

    def _report(self, step: Step) -> None:
        self.step = step


_runs: list[SetupRun] = []


def current() -> SetupRun | None:
    """What runs, or the last that ran."""
    return _runs[-1] if _runs else None


def start(task: Task) -> None:
    """Run a task. Raises RuntimeError when another one is under way."""
    run = current()
    if run is not None and run.is_running:
        raise RuntimeError("a set-up is under way; wait for it, or cancel it")
    _runs[:] = [SetupRun(task)]
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, persistent=True)  # loading another file does not end it


def unregister() -> None:
    """End what runs."""
    run = current()
    if run is not None:
        run.close()
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    _runs.clear()


def _tick() -> float | None:
    run = current()
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "PREFERENCES":
                area.tag_redraw()
    return TICK_SECONDS if run is not None and run.is_running else None
