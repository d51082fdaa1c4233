"""The artist's own files of a shot, found and looked at before anything is done with them.

Reads names and heads of files; reads no pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bpy

from ..capture.cameras import final_size
from ..capture.checks import CaptureError
from .exr import read_head
from .layers import choose_layer
from .png import read_png_size
from .sequence import find_sequence, pick
from .source import PassesSource


@dataclass(frozen=True)
class ShotFiles:
    """What was found."""

    passes: dict[int, Path]
    """The EXR file of every frame from the first to the last."""
    pictures: dict[int, Path] | None
    """The PNG file of every frame of the shot; None where the Combined pass is taken."""
    layer: str
    """View layer that the passes are read from."""
    channels: dict[str, tuple[str, ...]]
    """Channel names by pass, the same in all files."""


def find_shot_files(
    scene: bpy.types.Scene, source: PassesSource, frames: range, *, look_at_all: bool = True
) -> ShotFiles:
    """The files of some frames of a scene.

    Args:
        scene: The artist's scene.
        source: Which files.
        frames: Scene frames to stylise.
        look_at_all: Whether to open every file; else only the first and the last, which takes no time.

    Raises CaptureError, in one sentence, where a file or a pass is missing, or a file is not of this shot.
    """
    every = range(frames[0], frames[-1] + 1)
    why = "render them" if frames.step == 1 else "render them too, motion is read of the frames in between as well"
    passes = pick(find_sequence(source.file), every, "passes", f"{why}, or choose another frame range")
    size = final_size(scene)
    found: tuple[str, dict[str, tuple[str, ...]]] | None = None
    for path in _some(passes, look_at_all):
        head = read_head(path)
        _check_size(path, (head.width, head.height), size)
        if head.is_cropped:
            raise CaptureError(
                f"{path} holds a region of the picture only: turn off Render Region and render it again."
            )
        chosen = choose_layer(path, head, source.layer, combined=source.pictures is None)
        if found is not None and chosen != found:
            raise CaptureError(f"{path} has other view layers or passes than the files before it: render it again.")
        found = chosen
    assert found is not None
    pictures = None
    if source.pictures is not None:
        pictures = pick(find_sequence(source.pictures), frames, "pictures", "render them, or choose another range")
        for path in _some(pictures, look_at_all):
            _check_size(path, read_png_size(path), size)
    return ShotFiles(passes, pictures, *found)


def _some(files: dict[int, Path], all_of_them: bool) -> list[Path]:
    paths = list(files.values())
    return paths if all_of_them else paths[:1] + paths[1:][-1:]


def _check_size(path: Path, size: tuple[int, int], expected: tuple[int, int]) -> None:
    if size != expected:
        raise CaptureError(
            f"{path} is {size[0]}x{size[1]} px and the scene renders {expected[0]}x{expected[1]} px: set Resolution to "
            "what the files were rendered in."
        )
