"""Numbered files on disk, found by the name of one of them.

Knows names; opens nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ...protocol.frames import numbered_names
from ..capture.checks import CaptureError

NAMED = 8
"""So many frame numbers are named in a message; more would hide what it says."""


def find_sequence(file: Path) -> dict[int, Path]:
    """The files of a sequence by frame number, rising.

    Args:
        file: One of them, whose last digits are its frame ("shot_v2_0017.exr" is 17; what a minus before them means,
            `numbered_names` says), or their common name as Blender writes it, with # for the number ("shot_####.exr").

    Raises CaptureError where there is none, and where two are of one frame.
    """
    try:
        beside = sorted(path for path in file.parent.iterdir() if path.suffix == file.suffix)
    except OSError as error:
        raise CaptureError(f"{file.parent} cannot be read ({error.strerror}): choose a file that is there.") from error
    names = numbered_names([file.stem, *(path.stem for path in beside)])
    if marked := re.fullmatch(r"(.*?)#+([^#]*)", file.stem):
        # The whole number, of whatever length: Blender pads to the number of #.
        pattern = re.compile(re.escape(marked[1]) + r"(-?[0-9]+)" + re.escape(marked[2]))
        numbers = {path: int(match[1]) for path in beside if (match := pattern.fullmatch(path.stem))}
    elif file.stem in names:
        own = names[file.stem]
        numbered = ((path, names[path.stem]) for path in beside if path.stem in names)
        numbers = {path: name.number for path, name in numbered if (name.head, name.tail) == (own.head, own.tail)}
    else:
        raise CaptureError(f"{file} has no frame number in its name: choose a file of a numbered sequence.")
    found: dict[int, Path] = {}
    for path, number in numbers.items():
        if number in found:
            raise CaptureError(f"{path} is frame {number}, and so is {found[number].name}: keep one of them.")
        found[number] = path
    if not found:
        raise CaptureError(f"{file}: there is no such file: choose one that is there.")
    return dict(sorted(found.items()))


def pick(files: dict[int, Path], frames: Sequence[int], what: str, why: str) -> dict[int, Path]:
    """The files of some frames.

    Args:
        files: By frame number.
        frames: Which are wanted.
        what: What the files hold, for the message.
        why: The end of the message: what is to be done.

    Raises CaptureError naming the frames that are missing.
    """
    missing = [frame for frame in frames if frame not in files]
    if missing:
        listed = ", ".join(map(str, missing[:NAMED])) + (", ..." if len(missing) > NAMED else "")
        folder, numbers = next(iter(files.values())).parent, list(files)
        raise CaptureError(
            f"{folder} has {what} from frame {numbers[0]} to {numbers[-1]} and lacks {len(missing)} of frames "
            f"{frames[0]} to {frames[-1]} ({listed}): {why}."
        )
    return {frame: files[frame] for frame in frames}
