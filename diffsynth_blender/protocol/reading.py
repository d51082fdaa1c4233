"""Reading a file as a whole, where it is an ordinary one and not too long; JSON strictly: UTF-8, and no key twice."""

import json
import os
import stat
from pathlib import Path

from ..refusals import pass_refusal_on
from .errors import BadJobError
from .texts import shortened

JSON_LIMIT = 64 << 20
"""Longest JSON file that is read [bytes]: a job of 10,000 frames takes 12 MB; more would fill memory."""


def read_file(path: Path, limit: int) -> bytes:
    """The bytes of an ordinary file.

    What only looks like one is refused: a pipe would be waited for, and a device such as /dev/zero never ends.

    Args:
        path: The file, or a link to it.
        limit: Longest content that is read [bytes].

    Raises:
        OSError: It cannot be read, as ever; its text names what is wrong, not the path.
        ValueError: It is no ordinary file, or longer; the same.
    """
    with open(path, "rb", opener=_open_at_once) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("no ordinary file")
        content = file.read(limit + 1) if status.st_size <= limit else b""
    if max(status.st_size, len(content)) > limit:
        raise ValueError(f"{status.st_size} bytes, where {limit} are the most that can be right")
    return content


def _open_at_once(path: str, flags: int) -> int:
    """Open without waiting for whoever would write to a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def read_json(path: Path, *, remedy: str, missing: str | None = None) -> object:
    """Return what a JSON file holds; a key may not be there twice.

    Args:
        path: The file.
        remedy: What to do about a file that cannot be read, for messages.
        missing: What to do about a file that is not there; None for the same.

    Raises:
        BadJobError: It cannot be read; the message names file and remedy.
    """
    try:
        content = read_file(path, JSON_LIMIT)
        text = content.decode("utf-8")
    except FileNotFoundError:
        raise BadJobError(f"{path}: no such file; {missing or remedy}") from None
    except (OSError, ValueError) as error:
        pass_refusal_on(error)
        raise BadJobError(f"{path}: cannot be read: {error}; {remedy}") from None
    try:
        return json.loads(text, object_pairs_hook=_unique_keys)
    except (ValueError, RecursionError) as error:
        raise BadJobError(f"{path}: not a JSON file: {error}; {remedy}") from None


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value: dict[str, object] = {}
    for key, item in pairs:
        if key in value:
            raise ValueError(f"the key {shortened(key)} is there twice")
        value[key] = item
    return value
