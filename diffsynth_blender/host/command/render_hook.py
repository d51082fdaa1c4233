"""Stylise after a render: `blender -b shot.blend -a` with the scene's option on ends with stylised frames.

A second Blender renders the shot with its exact passes: a render from within a handler crashes Blender 4.5, 5.0 and
5.2. In the background the handler waits for the end of it all, and where it does not end well, Blender ends with the
exit code that the command line has for it. In a window the button Stylise is pressed, as it were.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import bpy
from bpy.app.handlers import persistent

from .log import CommandLog, say
from .rendered import stylise_rendered

VARIABLE = "DIFFSYNTH_RENDER_HOOK"
"""Of the environment. "off": renders are followed by nothing, whatever the scene says."""


class _Render:
    """The render under way, or the last one."""

    frames: set[int] = set()


@contextmanager
def paused() -> Iterator[None]:
    """Have renders meanwhile be followed by nothing, in this process and in those it starts.

    By the environment, because a Blender that we start knows this module under another name.
    """
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = "off"
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before


@persistent
def _on_init(scene: bpy.types.Scene, *_: object) -> None:
    _Render.frames = set()


@persistent
def _on_write(scene: bpy.types.Scene, *_: object) -> None:
    _Render.frames.add(scene.frame_current)


@persistent
def _on_complete(scene: bpy.types.Scene, *_: object) -> None:
    if os.environ.get(VARIABLE) == "off" or not scene.diffsynth.result.stylise_after_render:
        return
    if len(_Render.frames) == 1 and scene.frame_start != scene.frame_end:
        say("one frame was rendered: nothing is stylised; render the animation for that")
    elif bpy.app.background:
        _stylise_now(scene)
    else:
        name = scene.name  # the handler runs in the render's thread, the button is the main thread's
        bpy.app.timers.register(lambda: _press_button(name))


def _stylise_now(scene: bpy.types.Scene) -> None:
    """Stylise, and wait for it; without success, end Blender with the exit code that says why."""
    log = CommandLog(None, threading.Event())
    with paused():
        code = log.watch(lambda: stylise_rendered(scene, log))
    if code and bpy.app.binary_path:  # Blender itself and not the module, whose process is a script's own
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # what a handler raises is printed and forgotten


def _press_button(scene_name: str) -> None:
    scene = bpy.data.scenes.get(scene_name)
    window = bpy.context.window_manager.windows[0]
    if scene is not None:
        with bpy.context.temp_override(window=window, scene=scene):
            if bpy.ops.diffsynth.stylise.poll():
                bpy.ops.diffsynth.stylise()
            else:
                say(f"scene {scene_name!r} was rendered, but cannot be stylised; the button Stylise says why")


_HANDLERS = (
    (bpy.app.handlers.render_init, _on_init),
    (bpy.app.handlers.render_write, _on_write),
    (bpy.app.handlers.render_complete, _on_complete),
)


def register() -> None:
    """Be told of renders."""
    for handlers, handler in _HANDLERS:
        handlers.append(handler)


def unregister() -> None:
    """Be told no more."""
    for handlers, handler in _HANDLERS:
        handlers.remove(handler)
