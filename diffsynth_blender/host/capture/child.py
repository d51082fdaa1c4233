"""Render in a Blender of its own, in the background, while the artist goes on working.

The open file is saved as a temporary copy, which a second Blender opens and renders with a command of
`command/command.py`: export-job for a shot, export-strip for a strip of the sequencer.
Why not render in the artist's Blender, frame after frame: in its window a render runs in a thread beside Python code
that draws panels, and over a few dozen renders that was seen to crash Blender 4.3, to hang it, and to leave its data
write-protected for every script. A second process also leaves scene and undo history alone by construction, and gives
its memory back before the worker needs it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
from collections import deque
from pathlib import Path

import bpy

from ...client.behind import start_behind
from ...protocol import JobCancelledError, Settings
from ..source.options import source_arguments
from ..source.source import Source, chosen_source
from .checks import CaptureError
from .reuse import change_settings
from .run import CaptureStatus

PACKAGE_ROOT = Path(__file__).resolve().parents[3]

# Imported plainly, not as the extension: whether that is enabled in the second Blender depends on saved preferences.
_CODE = """
import os, sys, threading
import bpy

def listen():
    for word in sys.stdin.buffer:  # ends when the artist's Blender has closed its end, or is gone
        (go.clear if word == b"pause\\n" else go.set)()
    os._exit(130)

go = threading.Event()
go.set()
threading.Thread(target=listen, daemon=True).start()
bpy.app.handlers.render_pre.append(lambda *_: go.wait())  # a pause holds the next frame
sys.path.insert(0, {root!r})
from diffsynth_blender.host.command import command
code = command.run({arguments!r})
sys.stdout.flush(); sys.stderr.flush()
os._exit(code)  # the wheels of 4.2 and 4.5 may hang in the interpreter's own exit
"""
_OPEN = "import bpy; bpy.ops.wm.open_mainfile(filepath={file!r})\n"
_RENDERED = re.compile(r"diffsynth: render (\d+)/(\d+), frame (-?\d+)")
_ERROR = "diffsynth: error: "


class ChildRender:
    """A command that runs elsewhere and tells of its renders; ticked like `Capture`, from which it differs in nothing.

    Raises CaptureError, from `tick`, when the command failed.
    """

    def __init__(self, arguments: list[str], status: CaptureStatus) -> None:
        """Start `command.run(arguments)` on a copy of the open file; `status` holds until it tells of a render."""
        self._status = status
        self._cancelled = False
        self._lines: deque[str] = deque(maxlen=40)  # the last ones the process wrote
        self._folder = tempfile.TemporaryDirectory(prefix="diffsynth-")
        copy = str(Path(self._folder.name, "shot.blend"))
        _save_copy(copy)
        self._process = start_behind(
            _command_line(copy, _CODE.format(root=str(PACKAGE_ROOT), arguments=arguments)),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, name="DiffSynth render", daemon=True)
        self._reader.start()

    @property
    def status(self) -> CaptureStatus:
        """How far it is."""
        return self._status

    def tick(self) -> CaptureStatus:
        """Look how far it is; never waits. Raises CaptureError when the command failed."""
        if self._status.state == "running":
            ended = self._process.poll() is not None and not self._reader.is_alive()
            for match in filter(None, map(_RENDERED.match, list(self._lines))):
                done, count, frame = map(int, match.groups())
                self._status = CaptureStatus("running", frame, done, count)
            if ended:
                self._finish()
        return self._status

    def cancel(self) -> None:
        """Stop at once: the process ends itself when its pipe closes.

        Not by a signal: one that arrives while Blender starts is lost.
        """
        self._cancelled = True
        self._process.stdin.close()

    def pause(self) -> None:
        """Wait before the next frame. The process keeps its memory: a render could not go on without it."""
        self._say(b"pause\n")

    def resume(self) -> None:
        """Go on with the frame that waits."""
        self._say(b"go\n")

    def close(self) -> None:
        """End it now. Does nothing at its end."""
        if self._status.state == "running":
            self._process.kill()
            self._process.wait()
            self._end("cancelled")

    def _say(self, word: bytes) -> None:
        try:
            os.write(self._process.stdin.fileno(), word)  # a few bytes: a pipe takes them whole, without waiting
        except (OSError, ValueError):
            return  # it has ended, or is asked to; the next tick tells

    def _finish(self) -> None:
        # Even where it was just done: whoever cancels wants no worker started. A render may be cancelled there, too.
        if self._cancelled or self._process.returncode == JobCancelledError.exit_code:
            self._end("cancelled")
        elif self._process.returncode == 0:
            self._end("done")
            self._rendered()
        else:
            self._end("failed")
            lines = [line.strip() for line in self._lines if line.strip()] or ["no message"]
            told = [line.removeprefix(_ERROR) for line in lines if line.startswith(_ERROR)]
            reason = told[-1] if told else f"{lines[-1]} (exit {self._process.returncode})"
            raise CaptureError(reason.strip())

    def _rendered(self) -> None:
        """Do what follows a command that has done its work."""

    def _end(self, state: str) -> None:
        status = self._status
        self._status = CaptureStatus(state, status.frame, status.renders_done, status.render_count)
        self._folder.cleanup()

    def _read(self) -> None:
        for line in self._process.stderr:
            self._lines.append(line)


class ChildCapture(ChildRender):
    """A capture in a second Blender; whoever starts it has had the source checked."""

    def __init__(
        self,
        scene: bpy.types.Scene,
        job_dir: Path,
        frames: range,
        settings: Settings,
        source: Source | None = None,
    ) -> None:
        source = source or chosen_source(scene)
        self._job_dir, self._settings = job_dir, settings
        arguments = ["export-job", "--output", str(job_dir), "--scene", scene.name, "--recapture"]
        arguments += ["--frames", f"{frames[0]}-{frames[-1]}", "--step", str(frames.step), "--prompt", "later"]
        arguments += ["--set", "controls=[]"]  # nor are these those of the job: `_rendered` writes its settings
        every = frames[-1] - frames[0] + 1
        count = {"render": len(frames) + every, "passes": every, "strip": len(frames)}[source.kind]
        super().__init__(arguments + source_arguments(source), CaptureStatus("running", frames[0], 0, count))

    def _rendered(self) -> None:
        change_settings(self._job_dir, self._settings)


class ChildStripRender(ChildRender):
    """The frames of a strip, rendered in a second Blender into a folder."""

    def __init__(self, scene: bpy.types.Scene, strip_name: str, frames: range, folder: Path) -> None:
        arguments = ["export-strip", "--scene", scene.name, "--strip", strip_name, "--output", str(folder)]
        arguments += ["--frames", f"{frames[0]}-{frames[-1]}", "--step", str(frames.step)]
        super().__init__(arguments, CaptureStatus("running", frames[0], 0, len(frames)))


def _save_copy(path: str) -> None:
    """Save the open file elsewhere, without the small picture of it: drawing that takes 0.44 of 0.46 s in a window."""
    preferences = bpy.context.preferences
    before = preferences.filepaths.file_preview_type, preferences.is_dirty
    preferences.filepaths.file_preview_type = "NONE"
    try:
        bpy.ops.wm.save_as_mainfile(filepath=path, copy=True)
    finally:
        preferences.filepaths.file_preview_type, preferences.is_dirty = before


def _command_line(file: str, code: str) -> list[str]:
    """Run Python code in a second Blender that has opened a file; in the bpy module, a second Python."""
    if "python" in Path(bpy.app.binary_path or sys.executable).name.lower() or not bpy.app.binary_path:
        return [sys.executable, "-c", _OPEN.format(file=file) + code]
    return [bpy.app.binary_path, "-b", file, "--python-exit-code", "1", "--python-expr", code]
