"""The extension in a Blender of its own settings: installs the zip, names the worker's Python, makes the demo shot."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "bl_ext.user_default.diffsynth_blender"

_PREFERENCES = """
import bpy
preferences = bpy.context.preferences
preferences.view.show_splash = False
preferences.use_preferences_save = False
preferences.filepaths.use_auto_save_temporary_files = False
preferences.view.use_save_prompt = False
preferences.addons["bl_ext.user_default.diffsynth_blender"].preferences.worker_python = {python!r}
bpy.ops.wm.save_userpref()
"""
_SHOT = """
import sys, bpy
sys.path.insert(0, {root!r})
from diffsynth_blender.demo.scene import build_scene
bpy.ops.wm.read_homefile(use_empty=False, use_factory_startup=True)
for block in list(bpy.data.objects): bpy.data.objects.remove(block)
scene = build_scene()
scene.frame_end, scene.cycles.samples = {frames}, 16
scene.render.resolution_percentage = {percent}
bpy.ops.wm.save_as_mainfile(filepath={path!r})
"""


@dataclass(frozen=True)
class Installed:
    """A Blender with the extension, whose settings lie in a folder of their own."""

    blender: Path
    """Its executable."""
    folder: Path
    """Holds its settings, the shots and whatever the tests write; Blender must see it under the same path."""

    @property
    def environment(self) -> dict[str, str]:
        """Variables that Blender needs beside those of this process; the worker's Python is known from the settings."""
        return {"BLENDER_USER_RESOURCES": str(self.folder / "settings"), "DIFFSYNTH_WORKER_PYTHON": ""}

    def run(self, *arguments: str, seconds: float = 1200, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run Blender to its end, and return its exit code and what it wrote."""
        return subprocess.run(
            [str(self.blender), *arguments],
            env={**os.environ, **self.environment, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )

    def make_shot(self, name: str, frames: int, percent: int = 100) -> Path:
        """Save the demo shot, cut to its first frames and made smaller, and return the file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        code = _SHOT.format(root=str(ROOT), frames=frames, percent=percent, path=str(path))
        _succeeded(self.run("-b", "--python-exit-code", "1", "--python-expr", code))
        return path


def install(blender: Path, extension: Path, worker_python: Path, folder: Path) -> Installed:
    """Install the zip as a user does, into empty settings. Raises RuntimeError with what Blender wrote."""
    (folder / "settings").mkdir(parents=True, exist_ok=True)
    installed = Installed(blender, folder)
    _succeeded(
        installed.run("--command", "extension", "install-file", "-r", "user_default", "--enable", str(extension))
    )
    code = _PREFERENCES.format(python=str(worker_python))
    _succeeded(installed.run("-b", "--python-exit-code", "1", "--python-expr", code))
    return installed


def _succeeded(done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode:
        raise RuntimeError(f"exit code {done.returncode}: {' '.join(done.args)}\n{done.stdout}\n{done.stderr}")
