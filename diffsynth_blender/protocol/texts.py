"""What a string from a file or a pipe may be, and how values are quoted in messages."""

import os
import re
from pathlib import PureWindowsPath

NAME_LIMIT, PATH_LIMIT = 255, 4095
"""Longest name of a file or folder, and longest path [bytes], that the usual file systems have."""

_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9]|lpt[0-9]) *(\.|:|$)", re.IGNORECASE)
"""Names that Windows takes for devices, whatever their suffix: reading from one may wait for ever."""

NO_TEXT = "of characters that can be written to a file as UTF-8, and no zero byte"


def is_text(value: str) -> bool:
    """Whether every program can read the string: no half of a surrogate pair, and nothing that ends a string in C."""
    try:
        return b"\0" not in value.encode()
    except UnicodeEncodeError:
        return False


def is_path(value: str) -> bool:
    """Whether a file system could have a file of this path."""
    try:
        encoded = os.fsencode(value)
    except UnicodeEncodeError:
        return False
    names = encoded.replace(b"\\", b"/").split(b"/")
    return b"\0" not in encoded and len(encoded) <= PATH_LIMIT and all(len(name) <= NAME_LIMIT for name in names)


def stays_below(value: str) -> bool:
    """Whether a path is one below the folder that it is joined to, on every system, and no device of Windows'."""
    windows = PureWindowsPath(value)
    leaves = windows.drive or windows.root or ".." in windows.parts
    return is_path(value) and not leaves and not any(map(_DEVICE.match, windows.parts))


def one_line(text: str, limit: int) -> str:
    """A message on one line that a terminal shows as it is: what moves its cursor or its colours is written out.

    One that is longer than `limit` [characters] loses its middle: places come first in our messages, remedies last.
    """
    line = " ".join(text.split())
    if not line.isprintable():
        line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
    return line if len(line) <= limit else f"{line[: limit // 2]} ... {line[-limit // 2 :]}"


def shortened(value: object) -> str:
    """A value as Python writes it, on one line and not too long for a message."""
    if isinstance(value, str | bytes | list):
        value = value[:81]  # before it is written: it may be as long as a file
    text = repr(value)
    return text if len(text) <= 80 else text[:80] + "..."


def shown(key: str) -> str:
    """A key as it is, or as Python writes it where that would spoil a message."""
    return key if key.isprintable() and len(key) <= 80 else shortened(key)
