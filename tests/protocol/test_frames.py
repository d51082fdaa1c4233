"""Laws of frame numbers as people and file names write them."""

import argparse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffsynth_blender.protocol.frames import FRAME_LIMIT, frame_range, numbered_names, tie_ranges

FRAMES = st.integers(-FRAME_LIMIT, FRAME_LIMIT)


@given(FRAMES, FRAMES)
def test_ranges_are_read_as_they_are_written(one: int, other: int) -> None:
    """Read first and last frame of any range, on either side of 0, tied to its option or behind it."""
    first, last = sorted((one, other))
    assert frame_range(f"{first}-{last}") == (first, last)
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=frame_range)
    parser.add_argument("--json", action="store_true")
    for words in (["--frames", f"{first}-{last}"], [f"--frames={first}-{last}"]):
        assert parser.parse_args([*tie_ranges(words), "--json"]).frames == (first, last)


@pytest.mark.parametrize(("text", "frames"), [("7", (7, 7)), ("-7", (-7, -7)), ("-5--1", (-5, -1)), ("-3-2", (-3, 2))])
def test_ranges_by_example(text: str, frames: tuple[int, int]) -> None:
    """One frame is a range too, and a minus is a sign where no number stands before it."""
    assert frame_range(text) == frames


@pytest.mark.parametrize("text", ["", "x", "1-", "--3", "1,2", "1 - 2", "1---2", "١-٢", "1-2-3"])
def test_what_is_no_range(text: str) -> None:
    """Say what a range looks like."""
    with pytest.raises(argparse.ArgumentTypeError, match="is no frame range; write 1-24, or 7 for one frame"):
        frame_range(text)


def test_a_range_that_falls() -> None:
    """Say which one was meant."""
    with pytest.raises(argparse.ArgumentTypeError, match=r"'-1--5' .* ends before it starts; write -5--1"):
        frame_range("-1--5")


def test_only_ranges_are_tied() -> None:
    """Leave everything alone that is no negative range of the option."""
    words = ["run", "--frames", "--json", "--prompt", "-5--1", "--frames", "3-4", "--step", "-2"]
    assert tie_ranges(words) == words


@given(st.sampled_from(["", "shot_", "shot2_v07_", "a b ", "shot.", "2024-01-"]), FRAMES, st.integers(1, 6))
def test_numbers_as_blender_writes_them(head: str, frame: int, digits: int) -> None:
    """Read the number that Blender or Python pads into a name, on either side of 0."""
    for text in (f"{head}{'-' * (frame < 0)}{abs(frame):0{digits}d}", f"{head}{frame:0{digits}d}"):
        assert numbered_names([text]) == {text: (head, frame, "")}


def test_a_minus_that_joins_words() -> None:
    """Take a minus after a letter or digit for a sign only beside names with digits in its place."""
    assert numbered_names(["shot-0005", "shot-0006"])["shot-0005"] == ("shot-", 5, "")
    signed = numbered_names(["shot-0002", "shot-0001", "shot0000", "other-0004"])
    assert [name.number for name in signed.values()] == [-2, -1, 0, 4]
    assert signed["shot-0002"].head == signed["shot0000"].head == "shot"


def test_names_without_a_number() -> None:
    """Leave them out; what follows the number belongs to the name."""
    assert numbered_names(["cover", "", "v2_0003_left"]) == {"v2_0003_left": ("v2_", 3, "_left")}
