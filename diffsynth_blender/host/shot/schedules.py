"""Values over the denoising steps as an artist writes them: "8, 4, 1". Text in, numbers out, and back."""

import math
from collections.abc import Callable, Sequence

from ...protocol import BadJobError


def read_list(text: str, convert: Callable[[str], float], name: str, low: float, high: float, example: str) -> tuple:
    """The numbers in a text, divided by commas or spaces.

    Args:
        text: what the artist wrote.
        convert: `int` or `float`.
        name: what the property is called, for messages.
        low: the smallest number that may be there.
        high: the largest.
        example: a good text, for messages.

    Raises BadJobError where something in it is no such number.
    """
    try:
        values = tuple(convert(word) for word in text.replace(",", " ").split())
    except ValueError:
        values = (math.nan,)
    if not all(low <= value <= high for value in values):
        kind = "whole numbers" if convert is int else "numbers"
        raise BadJobError(
            f"{name} of the deflickering is {text!r}; write {kind} from {low} to {high} such as {example}"
        )
    return values


def write_list(values: Sequence[float]) -> str:
    """As `read_list` reads it."""
    return ", ".join(f"{value:g}" for value in values)
