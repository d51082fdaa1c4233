"""Rows of a frame, taken in turns by threads that may not be had."""

import pytest

from diffsynth_blender import bands
from diffsynth_blender.bands import Bands


def rows_of(count: int, height: int = 64) -> list[int]:
    """The rows that were worked on, in order."""
    seen: list[int] = []
    found = Bands("cpu", threads=count)
    for _ in range(3):
        found.run(height, lambda first, rows: seen.extend(range(first, first + rows)), rows_per_band=1)
    return sorted(seen)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_every_row_is_taken_once(count: int) -> None:
    """Whoever takes it, in every run."""
    assert rows_of(count) == sorted(list(range(64)) * 3)


@pytest.mark.parametrize("refusal", [RuntimeError("can't start new thread"), MemoryError(), None])
def test_threads_that_cannot_be_had_are_not_waited_for(refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused by the system, or dead before they have begun: who asks does it all."""

    def refuse(*_: object) -> int:
        if refusal is not None:
            raise refusal
        return 1  # started, and dead for want of memory

    monkeypatch.setattr(bands, "start_new_thread", refuse)
    assert rows_of(4) == sorted(list(range(64)) * 3)


def test_what_a_helper_raises_is_raised() -> None:
    """As if there were no threads."""

    def work(first: int, rows: int) -> None:
        raise MemoryError(first)

    with pytest.raises(MemoryError):
        Bands("cpu", threads=3).run(64, work, rows_per_band=1)
