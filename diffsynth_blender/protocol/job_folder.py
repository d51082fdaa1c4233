"""What is refused in a folder that a job writes to: a job folder may come from somebody else.

A link in it would lead what is written to any place of this machine, and a pipe would never be written.
"""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from .errors import BadJobError
from .job import CACHE_FOLDER, baseline_path, output_path
from .journal import JOURNAL_FILE
from .traces import PICTURES_FOLDER


def check_folder(folder: Path) -> None:
    """Look at all that is written to in a job's folder, or in the folder of a deflickering, as far as it is there.

    Results are left alone: they are replaced as a whole, and a link in their place with them.

    Raises BadJobError naming what is a link, or no file or folder where one belongs, and the remedy.
    """
    _check(folder / JOURNAL_FILE, stat.S_ISREG, "file")
    for place in (output_path(folder, 0).parent, baseline_path(folder, 0).parent):
        _check(place, stat.S_ISDIR, "folder")
    for place in (folder / CACHE_FOLDER, folder / PICTURES_FOLDER):
        if _check(place, stat.S_ISDIR, "folder"):
            for name in _names(place):
                _check(place / name, _is_file_or_folder, "file")


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError as error:
        raise BadJobError(f"{folder}: cannot be read ({error.strerror}); give permission, or remove it") from None


def _is_file_or_folder(mode: int) -> bool:
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def _check(path: Path, is_right: Callable[[int], bool], what: str) -> bool:
    """Whether something is there. Raises BadJobError where it is not what belongs there."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:  # not there, or told by whoever opens it
        return False
    if stat.S_ISLNK(mode):
        raise BadJobError(f"{path}: leads out of the job's folder, where nothing is written; put a {what} in its place")
    if not is_right(mode):
        raise BadJobError(f"{path}: no {what}, where the job needs one; remove it")
    return True
