"""Wrong values, wrong names and wrong texts, and how to tell that one was refused as it should be."""

import copy
import hashlib
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tests.faults.plugin import Tally
from tests.faults.worker_process import Hang

REMOVE = object()
"""In place of a value: the key is not there."""

HUGE_NAME = "n" * 5000
NAMES = (
    "", " ", ".", "..", "../..", "../../escaped", "a/../../escaped", "/", "/escaped", "/dev/zero", "/dev/stdin",
    "/proc/self/mem", "~", "~root", "$HOME", "%TEMP%", "C:", "C:/escaped", "C:\\escaped", "\\\\server\\share", "\\",
    "a\\..\\b", "con", "CON.png", "nul", "aux.exr", "LPT1", "com1.txt", "a:stream", "two\nlines", "tab\tname",
    "bell\x07", "\x1b[2Jred", "quote'", 'quote"', "`touch mark`", "$(touch mark)", "; touch mark", "| touch mark",
    "--help", "-", "*", "?", "<>", "&", "emoji 🎬", "e\u0301", "\u202egnp", "\u2028", "nul\0byte", "\0", "\ud800",
    "\udcff", "a\udc80b", "ünï", "n" * 255, "n" * 256, HUGE_NAME, "n/" * 3000, "{frame}", "{frame.__class__}", "{0}",
    "{", "}}", "%s", "%n",
)  # fmt: skip
"""What names of files, folders and objects may be where nobody takes care."""

NUMBERS = (
    0, 1, -1, 2, 15, 16, 1000, 1001, 65_536, 65_537, 2**31, 2**31 - 1, 2**32, 2**53, 2**63, 2**63 - 1, -(2**63), 2**64,
    10**400, 0.0, -0.0, 0.5, 1.0, -0.5, 1e-320, 1e-30, 1e30, 1e300, 1.7e308, -1e308, math.nan, math.inf, -math.inf,
)  # fmt: skip

_TEXTS = st.text(st.characters(), max_size=20) | st.sampled_from(NAMES) | st.just("\ud800") | st.just("long " * 30_000)
_PLAIN = st.none() | st.booleans() | st.sampled_from(NUMBERS) | st.integers() | st.floats() | _TEXTS
WRONG = st.recursive(
    _PLAIN, lambda inner: st.lists(inner, max_size=6) | st.dictionaries(_TEXTS, inner, max_size=4), max_leaves=12
) | st.sampled_from([[], {}, [[]], [{}], [None], [0] * 5000, {"a": {"a": {"a": {}}}}])
"""Anything that JSON can hold, and more: NaN, infinities, halves of surrogate pairs."""

Place = tuple[str | int, ...]


def places(value: Any, place: Place = ()) -> Iterator[Place]:
    """Every place in a JSON value, from the whole to each leaf."""
    yield place
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*place, key))


def changed(value: Any, place: Place, new: object) -> Any:
    """A copy of a JSON value with another one at a place, or without what is there (REMOVE)."""
    if not place:
        return None if new is REMOVE else new
    value = copy.deepcopy(value)
    target = value
    for key in place[:-1]:
        target = target[key]
    if new is REMOVE:
        del target[place[-1]]
    else:
        target[place[-1]] = new
    return value


def is_refusal(message: str, *words: str) -> bool:
    """Whether a message is one line that a terminal shows as it is, with a remedy after the reason and these words."""
    remedies = ("; ", "must be ", ": capture", ": make", ": restore", ": save", "again")
    return (
        message.isprintable()
        and len(message) <= 2_100
        and any(mark in message for mark in remedies)
        and "Traceback" not in message
        and all(word in message for word in words)
    )


@contextmanager
def tried(tally: Tally, fault: str) -> Iterator[None]:
    """Record that a fault was tried, and recovered where the block ends well."""
    try:
        yield
    except BaseException as error:
        tally.record(fault, recovered=False, hung=isinstance(error, Hang))
        raise
    tally.record(fault, recovered=True)


def errors_of(stderr: str) -> list[str]:
    """The errors among the lines that a command line wrote for people."""
    return [line.removeprefix("error: ") for line in stderr.splitlines() if line.startswith("error: ")]


def tree(*roots: Path) -> dict[str, str]:
    """All that lies below some folders, links not followed: what it is and holds."""
    found = {}
    for root in roots:
        for folder, folders, files in os.walk(root):
            for name in (*folders, *files):
                path = Path(folder) / name
                if path.is_symlink():
                    found[str(path)] = f"link to {os.readlink(path)}"
                elif path.is_file():
                    found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
                else:
                    found[str(path)] = "folder" if path.is_dir() else "other"
    return found
