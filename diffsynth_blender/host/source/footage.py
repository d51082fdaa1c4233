"""A job folder from a strip of the sequencer: footage, plain frames without passes.

A strip of plain PNG files is linked, so its frames have their own size; any other strip is rendered alone, by the
sequencer, in the size of the scene (result/strip_frames.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bpy

from ...protocol import Job, Settings, Shot
from ..capture.checks import SIZE_MINIMUM, CaptureError
from ..capture.folder import SOURCE_PATTERN
from ..capture.reuse import record_source
from ..capture.run import CaptureRun
from ..capture.shot import frame_rate
from ..result.strip_frames import check_files, files_in, files_of, find_strip, link_file, strip_frames
from ..result.strip_render import strip_renders
from .capture import check_apart
from .png import read_png_size
from .source import StripSource

ENGINE = "FOOTAGE"
"""What job.json names as the render engine of frames that none has rendered."""


class FootageCapture(CaptureRun):
    """Makes a job folder of a strip.

    Raises CaptureError or BadJobError, from the constructor, where strip or folder are refused; nothing has changed
    then.
    """

    def __init__(
        self,
        scene: bpy.types.Scene,
        job_dir: Path,
        source: StripSource,
        frames: range,
        settings: Settings,
        *,
        overwrite: bool,
    ) -> None:
        """Look at the strip; see `CaptureRun` for the arguments."""
        strip = check_strip_source(scene, source, frames)
        self._source, self._strip = source, source.strip
        self._files = files_of(strip, frames)
        self._size = frame_size(scene, strip, frames)
        check_apart(job_dir, files_in(strip))
        super().__init__(scene, job_dir, frames, len(frames), settings, overwrite=overwrite)

    def _renders(self) -> Iterator[bpy.types.Scene | None]:
        """A step for every frame; what is rendered is rendered on the way to it."""
        scene = self._scene()
        folder = self.folder.final_path(SOURCE_PATTERN, self._frame).parent
        done = self._linked() if self._files else strip_renders(scene, self._strip, self._frames, folder)
        try:
            for frame in done:
                self._frame = frame
                yield None
        finally:
            done.close()
        record_source(self.folder.path, self._source)
        self.folder.finish_job(Job(_describe(scene, self._frames, self._size), self._settings))

    def _linked(self) -> Iterator[int]:
        assert self._files is not None
        for frame, path in self._files.items():
            link_file(path, self.folder.final_path(SOURCE_PATTERN, frame))
            yield frame


def check_strip_source(
    scene: bpy.types.Scene, source: StripSource, frames: range, *, look_at_all: bool = True
) -> bpy.types.Strip:
    """The strip. Raises CaptureError or BadJobError where it, or these frames of it, are refused.

    Args:
        scene: The artist's scene.
        source: Which strip.
        frames: Scene frames to stylise.
        look_at_all: Whether to open every file for its size; else none is.
    """
    if not frames:
        raise CaptureError(
            f"The frame range of scene {scene.name!r} is empty: let it end after it starts, in steps of 1 or more."
        )
    if scene.sequence_editor is None:
        raise CaptureError(f"Scene {scene.name!r} has no sequencer strips: add the footage in the Video Sequencer.")
    strip = find_strip(scene, source.strip)
    shown = strip_frames(strip)
    if frames[0] < shown[0] or frames[-1] > shown[-1]:
        raise CaptureError(
            f"Strip {source.strip!r} is shown from frame {shown[0]} to {shown[-1]} and the range is {frames[0]} to "
            f"{frames[-1]}: press Fit Frame Range in the Source panel, or choose another range."
        )
    check_files(strip)
    if look_at_all:
        frame_size(scene, strip, frames)
    return strip


def frame_size(scene: bpy.types.Scene, strip: bpy.types.Strip, frames: range) -> tuple[int, int]:
    """Width and height of the job's frames [px]. Raises CaptureError where they are too small, or not of one size."""
    files = files_of(strip, frames)
    render = scene.render
    sizes = {path: read_png_size(path) for path in files.values()} if files else {}
    size = next(iter(sizes.values()), (render.resolution_x, render.resolution_y))
    other = next((path for path, found in sizes.items() if found != size), None)
    if other is not None:
        raise CaptureError(
            f"{other} is {sizes[other][0]}x{sizes[other][1]} px and the frames before it are {size[0]}x{size[1]} px: "
            "make all frames of one size."
        )
    if min(size) < SIZE_MINIMUM:
        raise CaptureError(
            f"Frames of strip {strip.name!r} are {size[0]}x{size[1]} px: make them {SIZE_MINIMUM}x{SIZE_MINIMUM} or "
            "larger."
        )
    return size


def _describe(scene: bpy.types.Scene, frames: range, size: tuple[int, int]) -> Shot:
    return Shot(
        name=scene.name,
        blender=".".join(str(number) for number in bpy.app.version),
        engine=ENGINE,
        width=size[0],
        height=size[1],
        fps=frame_rate(scene),
        frames=tuple(frames),
        source=SOURCE_PATTERN,
    )
