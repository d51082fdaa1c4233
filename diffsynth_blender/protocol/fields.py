"""Reading JSON objects key by key, strictly: every complaint names the file, the key and the remedy.

Knows nothing about what the object means; job.py spells that out, line by line.
"""

import difflib
import math
from collections.abc import Sequence
from typing import TypeGuard

from .errors import BadJobError
from .texts import NAME_LIMIT, NO_TEXT, is_path, is_text, shortened, shown


class JsonObject:
    """A JSON object whose set of keys is fixed: no others may be there."""

    def __init__(
        self, value: object, file: str, path: str, keys: Sequence[str], *, optional: Sequence[str] = ()
    ) -> None:
        """Check the keys.

        Args:
            value: What the JSON text held at this place.
            file: Name of the file, for messages.
            path: Place of the object within the file such as "settings.controls[0]"; "" for the whole file.
            keys: Keys that must be there.
            optional: Keys that may be there; `has` tells.

        Raises:
            BadJobError: `value` is not an object, or a key is unknown or missing.
        """
        self._file = file
        self._path = path
        if not isinstance(value, dict):
            raise BadJobError(f"{file}: {path or 'the file'} must be an object, not {shortened(value)}")
        self._values = value
        known = dict.fromkeys((*keys, *optional))
        for key in value:
            if key not in known:
                close = difflib.get_close_matches(key[:80], known, n=1)
                remedy = f"remove it or use {close[0]!r}" if close else f"remove it; known keys are {', '.join(known)}"
                raise BadJobError(f"{file}: {self.place(shown(key))} is not a known key; {remedy}")
        for key in keys:
            if key not in value:
                raise BadJobError(f"{file}: {self.place(key)} is missing; add it")

    def place(self, key: str) -> str:
        """Place of a key within the file, such as "settings.strength"."""
        return f"{self._path}.{key}" if self._path else key

    def error(self, key: str, must: str) -> BadJobError:
        """The error for a key whose value is not what it must be: `must` continues "KEY must be ..."."""
        return BadJobError(f"{self._file}: {self.place(key)} must be {must}, not {shortened(self._values[key])}")

    def has(self, key: str) -> bool:
        """Whether an optional key is there."""
        return key in self._values

    def child(self, key: str, keys: Sequence[str], *, optional: Sequence[str] = ()) -> "JsonObject":
        """The object under a key."""
        return JsonObject(self._values[key], self._file, self.place(key), keys, optional=optional)

    def children(self, key: str, keys: Sequence[str]) -> list["JsonObject"]:
        """The objects in the list under a key."""
        values = self._list(key, "a list of objects")
        return [JsonObject(v, self._file, f"{self.place(key)}[{i}]", keys) for i, v in enumerate(values)]

    def is_null(self, key: str) -> bool:
        """Whether the value is null."""
        return self._values[key] is None

    def text(self, key: str, *, choices: Sequence[str] = (), may_be_empty: bool = False) -> str:
        """A string; one of `choices` where given."""
        value = self._values[key]
        if choices and value not in choices:
            raise self.error(key, f"one of {', '.join(choices)}")
        if not isinstance(value, str) or not (value or may_be_empty):
            raise self.error(key, "a string" if may_be_empty else "a string that is not empty")
        if not is_text(value):
            raise self.error(key, NO_TEXT)
        return value

    def path(self, key: str) -> str:
        """A string that can be the path of a file or folder on some system, or is empty.

        On POSIX systems names are bytes: those that are no UTF-8 come as Python's lone surrogates, and are kept.
        """
        value = self._values[key]
        if not isinstance(value, str):
            raise self.error(key, "a string")
        if not is_path(value):
            raise self.error(key, f"a path without zero bytes, with names of {NAME_LIMIT} bytes at most")
        return value

    def boolean(self, key: str) -> bool:
        """True or false; no number stands for either."""
        value = self._values[key]
        if not isinstance(value, bool):
            raise self.error(key, "true or false")
        return value

    def integer(self, key: str, low: int, high: int) -> int:
        """An integer from `low` to `high`, both included."""
        value = self._values[key]
        if not _is_integer(value) or not low <= value <= high:
            raise self.error(key, f"an integer from {low} to {high}")
        return value

    def number(self, key: str, low: float, high: float = math.inf, *, above: bool = False) -> float:
        """A finite number from `low` (left out itself if `above`) to `high`."""
        value = self._values[key]
        wanted = f"a finite number {'above' if above else 'from'} {low:g}" + (
            f" to {high:g}" if high < math.inf else ""
        )
        if not is_finite(value) or value > high or (value <= low if above else value < low):
            raise self.error(key, wanted)
        return float(value)

    def integer_of(self, key: str, choices: Sequence[int]) -> int:
        """One of some integers."""
        value = self._values[key]
        if not _is_integer(value) or value not in choices:
            raise self.error(key, f"one of {', '.join(map(str, choices))}")
        return value

    def integer_schedule(self, key: str, low: int, high: int) -> int | tuple[int, ...]:
        """An integer from `low` to `high`, or a list of at least two."""
        return (
            self.integers(key, low, high, few=2)
            if isinstance(self._values[key], list)
            else self.integer(key, low, high)
        )

    def number_schedule(self, key: str, low: float, high: float) -> float | tuple[float, ...]:
        """A finite number from `low` to `high`, or a list of at least two."""
        values = self._values[key]
        if not isinstance(values, list):
            return self.number(key, low, high)
        if len(values) < 2 or not all(is_finite(value) and low <= value <= high for value in values):
            raise self.error(key, f"a number from {low:g} to {high:g} or a list of two or more")
        return tuple(float(value) for value in values)

    def integers(
        self, key: str, low: int, high: int, *, count: int | None = None, may_be_empty: bool = False, few: int = 1
    ) -> tuple[int, ...]:
        """A list of integers from `low` to `high`; at least `few` unless it may be empty, or exactly `count`."""
        size = str(count) if count is not None else "" if may_be_empty else f"{few} or more"
        wanted = f"a list of {size} integers from {low} to {high}".replace("  ", " ")
        values = self._list(key, wanted)
        if (len(values) < few and not may_be_empty) or (count is not None and len(values) != count):
            raise self.error(key, wanted)
        if not all(_is_integer(value) and low <= value <= high for value in values):
            raise self.error(key, wanted)
        return tuple(values)

    def numbers(self, key: str, count: int) -> tuple[float, ...]:
        """A list of exactly `count` finite numbers."""
        wanted = f"a list of {count} finite numbers"
        values = self._list(key, wanted)
        if len(values) != count or not all(is_finite(value) for value in values):
            raise self.error(key, wanted)
        return tuple(float(value) for value in values)

    def texts(self, key: str, count: int | None = None) -> tuple[str, ...]:
        """A list of exactly `count` strings, or of any number; none empty."""
        wanted = f"a list of {'' if count is None else f'{count} '}strings that are not empty"
        values = self._list(key, wanted)
        if (count is not None and len(values) != count) or not all(
            isinstance(value, str) and value for value in values
        ):
            raise self.error(key, wanted)
        if not all(map(is_text, values)):
            raise self.error(key, f"a list of strings, each {NO_TEXT}")
        return tuple(values)

    def matrix(self, key: str) -> tuple[tuple[float, ...], ...]:
        """A 4x4 matrix of finite numbers, as a list of four rows."""
        wanted = "a 4x4 matrix of finite numbers, as a list of four rows"
        rows = self._list(key, wanted)
        if len(rows) != 4 or not all(isinstance(row, list) and len(row) == 4 for row in rows):
            raise self.error(key, wanted)
        if not all(is_finite(value) for row in rows for value in row):
            raise self.error(key, wanted)
        return tuple(tuple(float(value) for value in row) for row in rows)

    def _list(self, key: str, wanted: str) -> list:
        value = self._values[key]
        if not isinstance(value, list):
            raise self.error(key, wanted)
        return value


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_finite(value: object) -> TypeGuard[float]:
    """Whether a value is a number that a float can hold; no truth value stands for one."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer too large for a float
        return False
