"""Drives what the buttons start, with a timer: at most one job at a time.

State lives here and not in properties: a running job must be neither saved with the file nor undone. Loading another
file, quitting or disabling the add-on ends it, or lets it go on without Blender where the artist chose so; its folder
keeps what was finished.
"""

from __future__ import annotations

from collections.abc import Callable

import bpy
from bpy.app.handlers import persistent

from ...protocol import DiffSynthError
from . import failure as job_failure
from . import history
from .job_work import JobWork
from .work import Work

PANEL_REGIONS = {"PROPERTIES": "WINDOW", "SEQUENCE_EDITOR": "UI"}
"""Where panels with progress are, by the kind of editor."""
TICK_SECONDS = 0.1  # ten steps a second: progress looks smooth, and a tick takes far less


class _Pump:
    """What runs, or the last that ran."""

    current: Work | None = None
    next_work: Callable[[Work], Work | None] | None = None  # what follows the work that has ended: the queue


def current() -> Work | None:
    """What runs, or the last of this Blender session for the panel to tell its end."""
    return _Pump.current


def is_running() -> bool:
    """Whether something is under way, or holds a render that is."""
    work = _Pump.current
    return work is not None and (work.state == "running" or work.is_held)


def follow_with(next_work: Callable[[Work], Work | None] | None) -> None:
    """Have each work that ends by itself followed by another one, where there is one."""
    _Pump.next_work = next_work


def start(work: Work) -> None:
    """Drive a job from now on. Raises RuntimeError when another one is under way."""
    if is_running():
        raise RuntimeError("another job is under way; wait for it, or cancel it")
    _Pump.current = work
    job_failure.clear()
    _tell(work)
    _wake()


def is_paused() -> bool:
    """Whether the last thing that ran is paused, and can go on."""
    return _Pump.current is not None and _Pump.current.state == "paused"


def pause() -> None:
    """Hold what runs."""
    _Pump.current.pause()
    _after_word(_Pump.current)


def resume() -> None:
    """Let what is paused go on."""
    _Pump.current.resume()
    _after_word(_Pump.current)


def cancel() -> None:
    """Stop what runs or is paused."""
    _Pump.current.cancel()
    _after_word(_Pump.current)


def _after_word(work: Work) -> None:
    _tell(work)
    redraw(work)
    _wake()


def _wake() -> None:
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick)


def stop(message: str) -> None:
    """End what runs, or let it go on without Blender; and the timer."""
    work = _Pump.current
    if work is not None:
        if not (is_running() and _goes_on(work)):
            work.close(message)
        _tell(work)
        redraw(work)
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)


def redraw(work: Work) -> None:
    """Show progress in the panel, and in the status bar for whoever has closed the panel.

    Only what shows it is drawn anew: the preview beside the sidebar of a sequencer may take long.
    """
    text = f"DiffSynth: {work.progress.text}" if work.state == "running" else None
    for window in bpy.context.window_manager.windows:
        window.workspace.status_text_set(text)
        for area in window.screen.areas:
            for region in area.regions:
                if region.type == PANEL_REGIONS.get(area.type):
                    region.tag_redraw()


def _tick() -> float | None:
    """The timer: one step, and the interval to the next one or None at the end."""
    work = _Pump.current
    if work is None:
        return None
    before = _shown(work)
    work.tick()
    _tell(work)
    if before != _shown(work):
        redraw(work)
    if work.is_over and work.state != "detached" and _Pump.next_work is not None:
        following = _Pump.next_work(work)
        if following is not None:
            _Pump.current = following
            _tell(following)
    return TICK_SECONDS if is_running() else None


def _shown(work: Work) -> tuple[object, ...]:
    """What of a work is on screen. Time left by the second, not ten times a second: drawing costs more than a tick."""
    return work.progress.line, work.progress.factor, work.state, getattr(work, "latest_picture", None)


def _tell(work: Work) -> None:
    """Have the history know how far it is, and the panel why it failed."""
    if isinstance(work, JobWork):
        work.tell_history()
    if work.state == "failed" and work.job_dir is not None:
        job_failure.keep(work.scene_uid, work, work.job_dir)


def _goes_on(work: Work) -> bool:
    """Whether a job could be left to itself, and was to."""
    try:
        return isinstance(work, JobWork) and work.scene.diffsynth.jobs.on_close == "DETACH" and work.detach()
    except (DiffSynthError, OSError) as error:
        print(f"DiffSynth: the job could not be left to itself: {error}")
        return False


@persistent
def _on_load(*_: object) -> None:
    stop("Ended, because another file was loaded")
    _Pump.current = None
    history.start_anew()


@persistent
def _on_undo(*_: object) -> None:
    history.restore_after_undo()


def register() -> None:
    """Be told when another file is loaded, and of every undo."""
    bpy.app.handlers.load_pre.append(_on_load)
    bpy.app.handlers.undo_post.append(_on_undo)
    bpy.app.handlers.redo_post.append(_on_undo)


def unregister() -> None:
    """End everything; also called by Blender when it quits."""
    bpy.app.handlers.redo_post.remove(_on_undo)
    bpy.app.handlers.undo_post.remove(_on_undo)
    bpy.app.handlers.load_pre.remove(_on_load)
    stop("Ended, because the add-on was disabled")
    _Pump.current = None
