"""Render in a Blender of its own, in the background, while the artist goes on working.

The open file is saved as a temporary copy, which a second Blender opens and renders with a command of
`command/command.py`: export-job for a shot, export-strip for a strip of the sequencer.
Why not render in the artist's Blender, frame after frame: in its window a render runs in a thread beside Python code
that draws panels, and over a few dozen renders that was seen to crash Blender 4.3, to hang it, and to leave its data
write-protected for every script. A second process also leaves scene and undo history alone by construction, and gives
its memory back before the worker needs it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from dataclasses import asdict, replace
from pathlib import Path

import bpy

from ...client.behind import let_go, start_behind
from ...protocol import JobCancelledError, Settings
from ...protocol.traces import events_path
from ..source.options import source_arguments
from ..source.source import Source, chosen_source
from . import second_blender
from .checks import CaptureError
from .run import CaptureStatus

PACKAGE_ROOT = Path(__file__).resolve().parents[3]
END_SECONDS = 10.0  # for a process that has said that it is done; it takes milliseconds

# Imported plainly, not as the extension: whether that is enabled in the second Blender depends on saved preferences.
_CODE = """
import pathlib, sys
sys.path.insert(0, {root!r})
from diffsynth_blender.host.capture import second_blender
second_blender.run({arguments!r}, pathlib.Path({folder!r}))
"""
_OPEN = "import bpy; bpy.ops.wm.open_mainfile(filepath={file!r})\n"
_RENDERED = re.compile(r"diffsynth: render (\d+)/(\d+), frame (-?\d+)")
_ERROR = "diffsynth: error: "


class ChildRender:
    """A command that runs elsewhere and tells of its renders; ticked like `Capture`, from which it differs in nothing.

    Raises CaptureError, from `tick`, when the command failed.
    """

    def __init__(self, arguments: list[str], status: CaptureStatus, *, folder: Path | None = None) -> None:
        """Start `command.run(arguments)` on a copy of the open file.

        Args:
            arguments: Of the command line.
            status: What holds until it tells of a render.
            folder: What the two Blenders share, see `second_blender.py`; one is made by default.
        """
        self._status = status
        self._cancelled = False
        self._lines: deque[str] = deque(maxlen=40)  # the last ones the process wrote
        self._torn = ""  # the beginning of a line that is not written to its end
        self._folder = folder or new_folder()
        copy = str(self._folder / "shot.blend")
        _save_copy(copy)
        code = _CODE.format(root=str(PACKAGE_ROOT), arguments=arguments, folder=str(self._folder))
        log = self._folder / "log.txt"  # no pipe: nobody is at its other end once this Blender has left
        with log.open("wb") as stderr:
            self._process = start_behind(
                _command_line(copy, code), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=stderr
            )
        self._log = log.open(encoding="utf-8", errors="replace", newline="\n")

    @property
    def status(self) -> CaptureStatus:
        """How far it is."""
        return self._status

    def tick(self) -> CaptureStatus:
        """Look how far it is; never waits. Raises CaptureError when the command failed."""
        if self._status.state == "running":
            ended = self._process.poll() is not None  # asked first: what it wrote before is then read below
            self._read()
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
        self._say(second_blender.PAUSE)

    def resume(self) -> None:
        """Go on with the frame that waits."""
        self._say(second_blender.GO)

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
        else:
            self._end("failed")
            lines = [line.strip() for line in self._lines if line.strip()] or ["no message"]
            told = [line.removeprefix(_ERROR) for line in lines if line.startswith(_ERROR)]
            reason = told[-1] if told else f"{lines[-1]} (exit {self._process.returncode})"
            raise CaptureError(reason.strip())

    def _end(self, state: str) -> None:
        self._status = replace(self._status, state=state)
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _read(self) -> None:
        """Take the whole lines that it has written since the last time."""
        *lines, self._torn = (self._torn + self._log.read()).split("\n")
        self._lines.extend(lines)


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
        folder = new_folder()
        wanted = folder / "settings.json"
        wanted.write_text(json.dumps(asdict(settings)), encoding="utf-8")
        (folder / second_blender.ATTENDED).touch()
        arguments = ["export-job", "--output", str(job_dir), f"--scene={scene.name}", "--recapture"]
        arguments += ["--frames", f"{frames[0]}-{frames[-1]}", "--step", str(frames.step), "--settings", str(wanted)]
        arguments += ["--attended", str(folder), "--events", str(events_path(job_dir))]
        every = frames[-1] - frames[0] + 1
        count = {"render": len(frames) + every, "passes": every, "strip": len(frames)}[source.kind]
        status = CaptureStatus("running", frames[0], 0, count)
        super().__init__(arguments + source_arguments(source), status, folder=folder)

    def leave(self, worker_python: Path) -> bool:
        """Let it go on without this Blender, and stylise the shot as well; it is found again by its event file.

        Args:
            worker_python: The worker's interpreter.

        Returns:
            False where the render has come to its end, of which the next tick tells; nothing has happened then.
        """
        if self._status.state != "running" or not second_blender.leave_alone(self._folder, worker_python):
            self._process.wait(END_SECONDS)
            return False
        self._process.stdin.close()
        self._log.close()
        self._status = replace(self._status, state="detached")
        let_go(self._process)
        return True


class ChildStripRender(ChildRender):
    """The frames of a strip, rendered in a second Blender into a folder."""

    def __init__(self, scene: bpy.types.Scene, strip_name: str, frames: range, folder: Path) -> None:
        arguments = ["export-strip", f"--scene={scene.name}", f"--strip={strip_name}", "--output", str(folder)]
        arguments += ["--frames", f"{frames[0]}-{frames[-1]}", "--step", str(frames.step)]
        super().__init__(arguments, CaptureStatus("running", frames[0], 0, len(frames)))


def new_folder() -> Path:
    """A folder for this Blender and a second one; the second one removes it where this one is gone."""
    return Path(tempfile.mkdtemp(prefix="diffsynth-"))


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
