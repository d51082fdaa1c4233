"""`blender -b shot.blend --command diffsynth run --prompt "..." --output DIR`: everything without an interface.

Also a plain function in the bpy module: `command.run(["run", "--prompt", "clay", "--output", "job"])`.
Exit codes: 0 done, 1 a bug, a disk that cannot be written or a worker that died, 2 bad arguments, scene or job,
3 model, device or worker missing, 4 out of memory, 130 cancelled. Every error that is not a bug is one line on stderr.
"""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import bpy

from . import check as command_check
from . import folders as command_folders
from . import models as command_models
from . import render_hook
from . import setup as command_setup
from . import shot as command_shot
from .arguments import parse
from .log import PROGRAM, CommandLog, say, stdout_of_our_own

Action = Callable[[argparse.Namespace, CommandLog, threading.Event], Path | None]

ACTIONS: dict[str, Action] = {
    "run": command_shot.run,
    "preview": command_shot.preview,
    "export-job": command_shot.export_job,
    "resume": command_folders.resume,
    "redo": command_folders.redo,
    "status": command_folders.status,
    "check": command_check.check,
    "setup": command_setup.setup,
    "models": command_models.models,
    "deflicker": command_folders.deflicker,
    "export-strip": command_folders.export_strip,
}
"""What each command does; returns the folder it is about."""


def run(arguments: Sequence[str]) -> int:
    """Run one command line, without the program's name, and return its exit code."""
    cancelled = threading.Event()
    with ExitStack() as stack:
        json_out = stack.enter_context(stdout_of_our_own()) if "--json" in arguments else None
        log = CommandLog(json_out, cancelled)
        stack.enter_context(_cancel_on_signals(cancelled))
        stack.enter_context(render_hook.paused())  # what is rendered here is no render of the artist's
        try:
            return log.watch(lambda: _act(arguments, log, cancelled))
        except SystemExit as end:  # the help was printed
            return int(end.code or 0)


def _act(arguments: Sequence[str], log: CommandLog, cancelled: threading.Event) -> Path | None:
    options = parse(arguments)
    return ACTIONS[options.command](options, log, cancelled)


def register() -> None:
    """Make the command known to `blender --command`."""
    _handles.append(bpy.utils.register_cli_command(PROGRAM, run))


def unregister() -> None:
    """Take it away again."""
    bpy.utils.unregister_cli_command(_handles.pop())


_handles: list[object] = []


@contextmanager
def _cancel_on_signals(cancelled: threading.Event) -> Iterator[None]:
    """Have Ctrl-C and a polite kill set a flag, once; the second time they interrupt at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def cancel(number: int, _: object) -> None:
        say("cancelling; once more ends it at once")
        cancelled.set()
        signal.signal(number, signal.default_int_handler)

    before = {number: signal.signal(number, cancel) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            # None: a handler that Blender installed in C; Python cannot put that one back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
