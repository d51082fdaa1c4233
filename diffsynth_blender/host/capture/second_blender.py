"""What happens in the second Blender that `child.py` starts: one command, for a Blender that may leave meanwhile.

The two share a folder. In it lies a file as long as the first one waits for the render; by giving it another name, in
one step, either of them says what comes next, and only one of them can: the first Blender that it leaves, the second
one that it is done. Whoever is left alone stylises as well.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
from pathlib import Path

import bpy

ATTENDED = "attended"
"""The file as it is called while the first Blender waits."""
ALONE = "alone"
"""The first one has left; the file names the worker's Python."""
RENDERED = "rendered"
"""The render was done while it was waited for."""

PAUSE, GO = b"pause\n", b"go\n"
"""What the first Blender says."""
CANCELLED = 130


def run(arguments: list[str], folder: Path) -> None:
    """Run one command line, and end this process with its exit code."""
    from ..command import command  # the whole host, which who only starts this process need not have

    go = threading.Event()
    go.set()
    bpy.app.handlers.render_pre.append(lambda *_: go.wait())  # a pause holds the next frame
    threading.Thread(target=_listen, args=(go, folder), name="DiffSynth first Blender", daemon=True).start()
    _end(command.run(arguments), folder)


def leave_alone(folder: Path, worker_python: Path) -> bool:
    """The first Blender leaves, and the second one shall stylise as well. False where that has come to its end."""
    try:
        with (folder / ATTENDED).open("r+", encoding="utf-8") as file:  # never made anew
            file.write(str(worker_python))
    except FileNotFoundError:
        return False
    return _change(folder, ALONE)


def hand_over(folder: Path) -> Path | None:
    """The second Blender has rendered. Returns None where the first one goes on; else the worker's Python."""
    return None if _change(folder, RENDERED) else Path((folder / ALONE).read_text(encoding="utf-8"))


def _change(folder: Path, name: str) -> bool:
    """Give the shared file its next name; False where the other Blender was faster."""
    try:
        (folder / ATTENDED).rename(folder / name)
    except FileNotFoundError:
        return False
    return True


def _listen(go: threading.Event, folder: Path) -> None:
    """Do as the first Blender says. When it closes its end, or is gone without a word, this one ends at once."""
    for word in sys.stdin.buffer:
        if word == PAUSE:
            go.clear()
        elif word == GO:
            go.set()
    if not (folder / ALONE).exists():
        _end(CANCELLED, folder)


def _end(code: int, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # the wheels of 4.2 and 4.5 may hang in the interpreter's own exit
