"""Scene frame numbers as people and file names write them, those below 0 too. Opens nothing."""

import argparse
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

FRAME_LIMIT = 1_048_574
"""Blender's scene frames lie within this on either side of 0 (MAXFRAME)."""

RANGE_OPTION = "--frames"
_RANGE = re.compile(r"(-?[0-9]+)(?:-(-?[0-9]+))?")
_NUMBERED = re.compile(r"(?P<head>.*?)(?P<minus>-?)(?P<digits>[0-9]+)(?P<tail>[^0-9]*)", re.DOTALL)


class NumberedName(NamedTuple):
    """A file name with a frame number in it."""

    head: str
    """What stands before the number."""
    number: int
    tail: str
    """What stands behind it."""


def frame_range(text: str) -> tuple[int, int]:
    """First and last frame of "1-24", of "7", of "-5--1". An option's type: raises argparse.ArgumentTypeError."""
    match = _RANGE.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no frame range; write 1-24, or 7 for one frame")
    first, last = int(match[1]), int(match[2] or match[1])
    if last < first:
        raise argparse.ArgumentTypeError(f"{text!r} is a frame range that ends before it starts; write {last}-{first}")
    return first, last


def tie_ranges(arguments: Sequence[str]) -> list[str]:
    """The arguments with a negative range tied to its option: argparse takes "-5-10" for an option of its own."""
    tied: list[str] = []
    for argument in arguments:
        if tied and tied[-1] == RANGE_OPTION and argument.startswith("-") and _RANGE.fullmatch(argument):
            tied[-1] = f"{RANGE_OPTION}={argument}"
        else:
            tied.append(argument)
    return tied


def numbered_names(stems: Iterable[str]) -> dict[str, NumberedName]:
    """The names, without suffix, that have a number: the last digits, "shot2_0017" is 17.

    A minus before them is a sign where nothing, a space, "_", "." or another minus stands before it ("-0005",
    "shot_-0005"), and where another of the names goes on with digits in its place ("shot-0005" beside "shot0000").
    Else it joins words: "shot-0005" alone is 5.
    """
    matches = {stem: match for stem in stems if (match := _NUMBERED.fullmatch(stem))}
    unsigned = {(match["head"], match["tail"]) for match in matches.values() if not match["minus"]}
    names = {}
    for stem, match in matches.items():
        head, number = match["head"], int(match["digits"])
        if match["minus"]:
            if not head or head[-1] in " _.-" or (head, match["tail"]) in unsigned:
                number = -number
            else:
                head += match["minus"]
        names[stem] = NumberedName(head, number, match["tail"])
    return names
