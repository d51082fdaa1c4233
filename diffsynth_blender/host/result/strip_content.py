"""Which pictures a strip of results holds, so that it can take the place of another strip, frame by frame.

Knows timing only: nothing is made or changed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import bpy

from ...protocol import BadJobError

HANDLE_LIMIT = 1000
"""Frames kept behind a handle where the pictures are those of the shown frames alone. Blender takes 0.2 s for a strip
of 4000 pictures and four times that for one twice as long, and a shot cut from a film of an hour has 86,000 frames
behind its handles."""


@dataclass(frozen=True)
class Content:
    """The pictures of an image strip, and which of them are shown."""

    paths: tuple[Path, ...]
    """One a frame, those behind the handles too."""
    frame_start: float
    """Scene frame of the first of them."""
    offset_start: float = 0
    """How many of them are hidden at the start [frames]; negative where the first is held before it begins."""
    offset_end: float = 0
    """How many of them are hidden at the end [frames]; negative where the last is held on."""


def camera_content(strip: bpy.types.SceneStrip, held: Mapping[int, Path]) -> Content:
    """The content for the place of a scene strip, from results numbered by the frames of the scene inside it.

    Args:
        strip: A scene strip that shows its scene's camera.
        held: The picture of every scene frame from the first to the last one that was stylised.

    Raises BadJobError when the strip shows a frame that was not stylised, or plays at another speed.
    """
    name, length = strip.name, strip.frame_duration
    stretch = strip.frame_final_end + strip.frame_offset_end - strip.frame_start
    if len(getattr(strip, "retiming_keys", ())) or round(stretch) != length:
        raise BadJobError(
            f"strip {name!r} plays at another speed than its scene, which pictures of its frames cannot follow; "
            "reset its speed, or stylise the strip in place of the scene"
        )
    first = strip.scene.frame_start + strip.animation_offset_start
    hidden = round(strip.frame_offset_start), round(strip.frame_offset_end)
    if strip.use_reverse_frames:
        hidden = hidden[::-1]
    shown = range(first + max(0, hidden[0]), first + length - max(0, hidden[1]))
    _check_covered(name, shown, held, f"of scene {strip.scene.name!r}")
    paths = _pictures(range(first, first + length), held)
    return Content(paths, strip.frame_start, strip.frame_offset_start, strip.frame_offset_end)


def shown_content(strip: bpy.types.Strip, held: Mapping[int, Path]) -> Content:
    """The content for the place of a strip, from results numbered by the frames at which the strip is shown.

    There are none of what lies behind its handles; the nearest one is held there.

    Args:
        strip: Any strip that holds frames.
        held: The picture of every scene frame from the first to the last one that was stylised.

    Raises BadJobError when the strip shows a frame that was not stylised.
    """
    shown = range(round(strip.frame_final_start), round(strip.frame_final_end))
    _check_covered(strip.name, shown, held, "of the sequencer")
    before = min(max(0, round(strip.frame_offset_start)), HANDLE_LIMIT)
    after = min(max(0, round(strip.frame_offset_end)), HANDLE_LIMIT)
    frames = range(shown[0] - before, shown[-1] + 1 + after)
    return Content(_pictures(frames, held), frames[0], before, after)


def _check_covered(name: str, shown: range, held: Mapping[int, Path], whose: str) -> None:
    missing = [frame for frame in shown if frame not in held]
    if missing:
        raise BadJobError(
            f"strip {name!r} shows frames {shown[0]} to {shown[-1]} {whose}, but {min(held)} to {max(held)} were "
            "stylised; stylise all of them, or trim the strip"
        )


def _pictures(frames: range, held: Mapping[int, Path]) -> tuple[Path, ...]:
    """The picture of each frame, or the nearest one there is."""
    first, last = min(held), max(held)
    return tuple(held[min(max(frame, first), last)] for frame in frames)
