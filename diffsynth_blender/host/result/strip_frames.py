"""The frames of a strip of the sequencer: which there are, and in which files they lie where they need no render.

The number of a frame is the scene frame at which the sequencer shows it. What has to be rendered is in strip_render.py.
"""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import bpy

from ...protocol import BadJobError
from .. import compat
from ..capture.checks import CaptureError
from ..capture.run import CaptureStatus
from .strip import strips_of

READABLE = {"IMAGE": "an image", "MOVIE": "a movie", "SCENE": "a scene", "META": "a meta strip"}
"""Kinds of strips that hold frames."""
TICK_BUDGET = 0.02  # seconds of the interface's time that linking files may take in one step


def strip_frames(strip: bpy.types.Strip) -> range:
    """The scene frames at which a strip is shown."""
    return range(int(strip.frame_final_start), int(strip.frame_final_end))


def find_strip(scene: bpy.types.Scene, name: str) -> bpy.types.Strip:
    """A strip that holds frames, by name. Raises BadJobError saying why it is none."""
    strip = strips_of(scene).get(name)
    if strip is None:
        inside = any(name in compat.strips_in(meta) for meta in strips_of(scene) if meta.type == "META")
        remedy = "lies in a meta strip; choose the meta strip, or move it out" if inside else "is not there any more"
        raise BadJobError(f"strip {name!r} {remedy}")
    if strip.type not in READABLE:
        kinds = ", ".join(READABLE.values())
        raise BadJobError(f"strip {name!r} holds no frames of its own; choose {kinds}")
    return strip


def check_files(strip: bpy.types.Strip) -> None:
    """Raise BadJobError naming a file that a strip shows and that is not there: Blender would render a hole."""
    missing = next((path for path in files_in(strip) if not path.is_file()), None)
    if missing:
        raise BadJobError(f"{missing}: no such file; restore it, or remove it from strip {strip.name!r}")


def files_in(strip: bpy.types.Strip) -> list[Path]:
    """The files that a strip, or what lies in a meta strip, reads."""
    if strip.type == "META":
        return [path for within in compat.strips_in(strip) for path in files_in(within)]
    if strip.type == "IMAGE":
        folder = Path(bpy.path.abspath(strip.directory))
        return [folder / element.filename for element in strip.elements]
    return [Path(bpy.path.abspath(strip.filepath))] if strip.type == "MOVIE" else []


def files_of(strip: bpy.types.ImageStrip, frames: range) -> dict[int, Path] | None:
    """The file shown at each frame; None where the strip shows anything but these PNG files as they are.

    Where they lie in the picture (position, scale, rotation, crop) is no part of that: whoever shows the result in the
    same place sees it in the same way.
    """
    if strip.type != "IMAGE" or _is_altered(strip):
        return None
    folder = Path(bpy.path.abspath(strip.directory))
    names = [element.filename for element in strip.elements]
    if not all(name.lower().endswith(".png") for name in names):
        return None
    first = math.floor(strip.frame_start)
    # Beyond its ends a strip of images holds its first and last one.
    return {frame: folder / names[min(max(0, frame - first), len(names) - 1)] for frame in frames}


def _is_altered(strip: bpy.types.ImageStrip) -> bool:
    """Whether a strip does anything to the colours, the timing or the shape of its images."""
    plain = {
        "use_flip_x": False,
        "use_flip_y": False,
        "use_reverse_frames": False,
        "use_deinterlace": False,
        "color_saturation": 1.0,
        "color_multiply": 1.0,
        "animation_offset_start": 0,
    }
    animation = strip.id_data.animation_data
    return (
        any(getattr(strip, name, value) != value for name, value in plain.items())
        or getattr(strip, "strobe", 0.0) > 1.0  # 0 and 1 both show every frame
        or strip.colorspace_settings.name != "sRGB"
        or len(strip.modifiers) > 0
        or len(getattr(strip, "retiming_keys", ())) > 0
        or (animation is not None and (animation.action is not None or len(animation.drivers) > 0))
    )


def clear_frames(folder: Path) -> None:
    """Make a folder of ours empty, so that frames of two strips never mix. Raises BadJobError where it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            if path.is_file():
                path.unlink()
    except OSError as error:
        raise BadJobError(f"{folder}: cannot be written: {error.strerror}; choose another output folder") from error


class LinkFrames:
    """Brings files into a folder under other names, a few at a time; ticked like `ChildRender`."""

    def __init__(self, files: Sequence[tuple[Path, str]], folder: Path) -> None:
        """Args: `files` with their names in the folder; `folder` is there and empty."""
        self._files = files
        self._folder = folder
        self._done = 0
        self._state = "running"

    def tick(self) -> CaptureStatus:
        """Bring in what a moment allows. Raises CaptureError naming a file that is not there."""
        deadline = time.perf_counter() + TICK_BUDGET
        while self._state == "running" and time.perf_counter() < deadline:
            path, name = self._files[self._done]
            link_file(path, self._folder / name)
            self._done += 1
            if self._done == len(self._files):
                self._state = "done"
        return CaptureStatus(self._state, self._done, self._done, len(self._files))

    def cancel(self) -> None:
        """Stop; the next tick tells."""
        self._state = "cancelled"

    def close(self) -> None:
        """End it now."""
        self.cancel()


def link_file(path: Path, place: Path) -> None:
    """The same file under another name: no copy on most disks, and a link that survives the strip's removal."""
    try:
        if not path.is_file():
            raise CaptureError(f"{path}: no such file; restore it, or remove it from the strip")
        try:
            os.link(path.resolve(), place)
        except OSError:  # another disk, or one that knows no links
            shutil.copyfile(path, place)
    except OSError as error:
        raise CaptureError(f"{place}: cannot be written: {error.strerror}; choose another output folder") from error
