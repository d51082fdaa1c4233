"""Frames under numbers that Blender's image sequences can count to: those below 0 they take for 0, file by file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...protocol import BadJobError
from ..capture.checks import CaptureError
from .strip_frames import clear_frames, link_file

COUNTED_FOLDER = "counted"
"""In a job folder: the same frames once more, as links, by their place in the shot."""


def counted(paths: Sequence[Path], folder: Path) -> Path:
    """Have the folder hold these files as 0000.png and so on, and nothing else; returns the first.

    Files that were replaced since are linked anew. Raises BadJobError where the folder cannot be written.
    """
    clear_frames(folder)
    links = [folder / f"{place:04d}.png" for place in range(len(paths))]
    try:
        for path, link in zip(paths, links, strict=True):
            link_file(path, link)
    except CaptureError as error:
        raise BadJobError(str(error)) from None
    return links[0]
