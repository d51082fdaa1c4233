"""Running the worker's model commands beside the interface, and what follows their end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import bpy

from ..preferences import worker_python
from . import run as setup_run
from .models_properties import chosen_models, models_folder
from .models_worker import ModelWorker
from .operators import chosen_setup

_waiting: list[tuple[setup_run.SetupRun, Callable[[], str]]] = []
"""The run under way, and what follows it."""


def model_worker(python: Path | None = None) -> ModelWorker:
    """The worker as the preferences describe it, or with another interpreter. Raises DeviceMissingError without one."""
    chosen, setup = chosen_models(), chosen_setup()
    return ModelWorker(
        worker_python(python),
        models_folder(),
        chosen.endpoint if chosen else "",
        chosen.token if chosen else "",
        setup.proxy if setup else "",
    )


def start(task: setup_run.Task, then: Callable[[], str]) -> None:
    """Run a task in its thread, and where it ends well `then`, which may change the file, in Blender's own."""
    setup_run.start(task)
    _waiting[:] = [(setup_run.current(), then)]
    if not bpy.app.timers.is_registered(finish):
        bpy.app.timers.register(finish, persistent=True)


def finish() -> float | None:
    """What follows a run that has ended; a timer calls this until it has."""
    for run, then in list(_waiting):
        if run.is_running:
            return setup_run.TICK_SECONDS
        _waiting.clear()
        if not run.is_error and (done := then()):
            run.message = f"{run.message}. {done}"
            bpy.ops.ed.undo_push(message="Use Model")
    _redraw()
    return None


def unregister() -> None:
    """Forget what would follow."""
    _waiting.clear()
    if bpy.app.timers.is_registered(finish):
        bpy.app.timers.unregister(finish)


def _redraw() -> None:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in {"PROPERTIES", "PREFERENCES"}:
                area.tag_redraw()
