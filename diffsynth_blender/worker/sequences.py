"""Folders of numbered frames. Knows names, opens nothing: a wrong folder is refused before anything heavy is loaded."""

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from ..protocol.errors import BadJobError
from ..protocol.frames import FRAME_LIMIT, numbered_names

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp")
"""Files that count as frames; all others in a folder are left out of account."""

NAMED = 8
"""So many frame numbers are named in a message; more would hide what it says."""


def list_frames(folder: Path) -> dict[int, Path]:
    """The frames of a folder by number, rising: the last digits in the name of each file, "shot2_0017.png" is 17.

    What a minus before them means, `numbered_names` says.

    Raises BadJobError where the folder cannot be read or holds no frame, or where a number is missing or there twice.
    """
    found: dict[int, Path] = {}
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.name[0] != ".")
    except OSError as error:
        raise BadJobError(
            f"{folder}: cannot be read as a folder ({error.strerror}); give the folder that holds the frames"
        ) from None
    names = numbered_names(path.stem for path in paths)
    for path in paths:
        if path.stem not in names:
            raise BadJobError(f"{path}: has no frame number in its name; rename it, or move it out of the folder")
        number = names[path.stem].number
        if abs(number) > FRAME_LIMIT:
            raise BadJobError(
                f"{path}: frame {number} is none that Blender has, from {-FRAME_LIMIT} to {FRAME_LIMIT}; rename it"
            )
        if number in found:
            raise BadJobError(
                f"{path}: is frame {number}, and so is {found[number].name}; keep one sequence in the folder, "
                "the last digits of a name being the frame number"
            )
        found[number] = path
    if not found:
        raise BadJobError(f"{folder}: holds no frames; give a folder of numbered {', '.join(SUFFIXES)} files")
    return dict(sorted(found.items()))


def gaps(numbers: Sequence[int]) -> list[int]:
    """The numbers that are missing for rising ones to rise in equal steps."""
    steps = [after - before for before, after in pairwise(numbers)]
    if not steps:
        return []
    return sorted(set(range(numbers[0], numbers[-1], math.gcd(*steps))) - set(numbers))


def some(numbers: Sequence[int]) -> str:
    """The first few numbers as "frame 3" or "frames 3, 4, 5"."""
    listed = ", ".join(map(str, numbers[:NAMED])) + (", ..." if len(numbers) > NAMED else "")
    return f"frame {listed}" if len(numbers) == 1 else f"frames {listed}"


def missing(numbers: Sequence[int]) -> str:
    """As `some`, and that they are missing."""
    return f"{some(numbers)} {'is' if len(numbers) == 1 else 'are'} missing"
