"""Drives what the buttons start, with a timer: at most one job at a time.

State lives here and not in properties: a running job must be neither saved with the file nor undone. Loading another
file, quitting or disabling the add-on ends it; its folder keeps what was finished.
"""

from __future__ import annotations

import bpy
from bpy.app.handlers import persistent

from .work import Work

TICK_SECONDS = 0.1  # ten steps a second: progress looks smooth, and a tick takes far less


class _Pump:
    """What runs, or the last that ran."""

    current: Work | None = None


def current() -> Work | None:
    """What runs, or the last of this Blender session for the panel to tell its end."""
    return _Pump.current


def is_running() -> bool:
    """Whether something is under way."""
    return _Pump.current is not None and _Pump.current.state == "running"


def start(work: Work) -> None:
    """Drive a job from now on. Raises RuntimeError when another one is under way."""
    if is_running():
        raise RuntimeError("another job is under way; wait for it, or cancel it")
    _Pump.current = work
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick)


def stop(message: str) -> None:
    """End what runs, and the timer."""
    if _Pump.current is not None:
        _Pump.current.close(message)
        _redraw(_Pump.current)
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)


def _tick() -> float | None:
    """The timer: one step, and the interval to the next one or None at the end."""
    if _Pump.current is None:
        return None
    before = (_Pump.current.progress, _Pump.current.state)
    _Pump.current.tick()
    if before != (_Pump.current.progress, _Pump.current.state):
        _redraw(_Pump.current)
    return TICK_SECONDS if is_running() else None


def _redraw(work: Work) -> None:
    """Show progress in the panel, and in the status bar for whoever has closed the panel."""
    text = f"DiffSynth: {work.progress.text}" if work.state == "running" else None
    for window in bpy.context.window_manager.windows:
        window.workspace.status_text_set(text)
        for area in window.screen.areas:
            if area.type in {"PROPERTIES", "SEQUENCE_EDITOR"}:
                area.tag_redraw()


@persistent
def _on_load(*_: object) -> None:
    stop("Ended, because another file was loaded")
    _Pump.current = None


def register() -> None:
    """Be told when another file is loaded."""
    bpy.app.handlers.load_pre.append(_on_load)


def unregister() -> None:
    """End everything; also called by Blender when it quits."""
    bpy.app.handlers.load_pre.remove(_on_load)
    stop("Ended, because the add-on was disabled")
    _Pump.current = None
