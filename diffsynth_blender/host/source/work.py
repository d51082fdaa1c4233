"""From a source to a job folder: what captures it, what is refused before, and the same in a second Blender."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import bpy

from ...protocol import BadJobError, Settings
from ..capture.capture import Capture
from ..capture.checks import CaptureError, check_scene
from ..capture.child import ChildCapture
from ..capture.run import CaptureRun
from ..capture.scene_state import find_block
from .capture import PassesCapture, check_passes_source
from .footage import FootageCapture, check_strip_source
from .source import PassesSource, Source, StripSource, chosen_source

EXACT_CONTROLS = {"depth": "Depth", "normal": "Normal", "softedge": "Soft Edges"}
"""Controls that nothing makes of footage but an annotator with weights."""


def capture_of(
    scene: bpy.types.Scene,
    job_dir: Path,
    source: Source,
    frames: range,
    settings: Settings,
    *,
    overwrite: bool,
    go_on: bool = False,
) -> CaptureRun:
    """What brings the frames of a source into a job folder.

    Args:
        scene: The artist's scene.
        job_dir: Folder to fill; made where there is none.
        source: Where the frames come from.
        frames: Scene frames to stylise.
        settings: What job.json says about the restyling.
        overwrite: Replace a job that the folder already holds.
        go_on: Render only what the folder lacks: it holds the beginning of this very shot.

    Raises CaptureError or BadJobError where something is refused; nothing has changed then.
    """
    if isinstance(source, PassesSource):
        return PassesCapture(scene, job_dir, source, frames, settings, overwrite=overwrite)
    if isinstance(source, StripSource):
        return FootageCapture(scene, job_dir, source, frames, settings, overwrite=overwrite)
    last = frames[-1] if frames else frames.stop - 1
    return Capture(
        scene, job_dir, settings=settings, frame_start=frames.start, frame_end=last, frame_step=frames.step,
        overwrite=overwrite, go_on=go_on,
    )  # fmt: skip


def check_source(scene: bpy.types.Scene, source: Source, frames: range, *, look_at_all: bool = True) -> None:
    """Raise CaptureError or BadJobError, in one sentence, where the source would be refused; changes nothing.

    Args:
        scene: The artist's scene.
        source: Where the frames come from.
        frames: Scene frames to stylise.
        look_at_all: Whether to open every file, which for a long shot takes more time than an interface has.
    """
    if isinstance(source, PassesSource):
        check_passes_source(scene, source, frames, look_at_all=look_at_all)
    elif isinstance(source, StripSource):
        check_strip_source(scene, source, frames, look_at_all=look_at_all)
    else:
        check_scene(scene, frames)


def check_controls(source: Source, settings: Settings) -> None:
    """Raise BadJobError for the first control that footage cannot give, before its frames are rendered."""
    if not isinstance(source, StripSource):
        return
    for control in settings.controls:
        if control.kind in EXACT_CONTROLS and not control.annotator:
            raise BadJobError(
                f"the control {EXACT_CONTROLS[control.kind]} is read from passes, and strip {source.strip!r} has none; "
                "turn it off, or choose an annotator that estimates it"
            )


def source_preparations(
    scene: bpy.types.Scene, job_dir: Path, frames: range, settings: Settings, source: Source | None = None
) -> list[Callable[[], ChildCapture]]:
    """What has to be done before the worker can start: for all sources, a capture in a second Blender.

    Args:
        scene: The artist's scene.
        job_dir: Folder to fill.
        frames: Scene frames to stylise.
        settings: What job.json says about the restyling.
        source: Where the frames come from; what the artist chose in the scene, by default.

    Raises CaptureError or BadJobError where the source is refused; nothing has happened then.
    """
    source = source or chosen_source(scene)
    check_source(scene, source, frames, look_at_all=False)  # the second Blender looks at the rest
    check_controls(source, settings)
    return [partial(_start, scene.session_uid, job_dir, frames, settings, source)]


def _start(uid: int, job_dir: Path, frames: range, settings: Settings, source: Source) -> ChildCapture:
    # Looked up anew: undo may have replaced every struct since.
    scene = find_block(bpy.data.scenes, uid)
    if scene is None:
        raise CaptureError("The shot's scene was deleted: start again with another one.")
    return ChildCapture(scene, job_dir, frames, settings, source)
