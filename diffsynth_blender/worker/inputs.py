"""Everything a job reads, checked before anything is computed, and then handed out one frame at a time.

Knows files and numpy, not torch: a broken file is reported in the first seconds, before a model is loaded.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from ..passes.exr import ExactPasses
from ..protocol import Job
from .control_choice import control_makers
from .control_makers import ControlMaker
from .footage import refuse_what_needs_passes
from .passes_check import PassesCheck
from .region_masks import RegionMasks
from .shot_files import (
    at_result_size,
    check_source,
    objects_reader,
    read_frame,
    read_frame_passes,
    read_reference,
    read_source,
    run_hash,
)

__all__ = [
    "Inputs",
    "at_result_size",
    "objects_reader",
    "read_frame",
    "read_frame_passes",
    "read_inputs",
    "read_source",
    "run_hash",
]

Advance = Callable[[int, int, int], None]
"""Called with (frames finished, frames in all, scene frame)."""

KEPT = 8
"""Source frames, and images of each control, held at a time: two windows that overlap read each of them once."""


class Inputs:
    """What the frames that are computed look like to the model, read when asked for.

    Memory does not depend on the length of the clip: a few frames are held, the controls lie in the cache folder.
    """

    def __init__(
        self,
        frames: tuple[int, ...],
        read_source: Callable[[int], np.ndarray],
        controls: Mapping[str, ControlMaker],
        *,
        width: int,
        height: int,
        regions: RegionMasks | None = None,
        reference: np.ndarray | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        """Take what reads a scene frame, and by kind what makes its control; both return (H, W, 3) in [0, 1]."""
        self.frames = frames
        """Scene frames, rising."""
        self.width = width
        """Of the frames that are computed [px]."""
        self.height = height
        self.notes = notes
        """What is worth telling of the files, a sentence each."""
        self.reference = reference
        """The picture whose look is taken over, at its own size, float32 in [0, 1], shape (H', W', 3)."""
        self._source = lru_cache(KEPT)(read_source)
        self._controls = {kind: lru_cache(KEPT)(maker.image) for kind, maker in controls.items()}
        self._regions = regions

    def source(self, index: int) -> np.ndarray:
        """A frame as the artist sees it, float32 in [0, 1], shape (H, W, 3); not to be written to."""
        return self._source(self.frames[index])

    def control(self, kind: str, index: int) -> np.ndarray:
        """What the ControlNet of this kind sees of a frame, as `source`."""
        return self._controls[kind](self.frames[index])

    def region(self, region: int, index: int) -> np.ndarray:
        """Where the objects of a region (its place in the settings) are seen, see `RegionMasks.mask`."""
        assert self._regions is not None
        return self._regions.mask(region, self.frames[index])

    def any_region(self, index: int) -> np.ndarray:
        """Where the objects of any region are seen, see `RegionMasks.mask`."""
        assert self._regions is not None
        return self._regions.any_mask(self.frames[index])


@dataclass(frozen=True)
class _Look:
    """One frame of the shot; what is asked for is read once."""

    job: Job
    job_dir: Path
    frame: int

    @cached_property
    def source(self) -> np.ndarray:
        return read_source(self.job, self.job_dir, self.frame)

    @cached_property
    def passes(self) -> ExactPasses:
        return read_frame_passes(self.job, self.job_dir, self.frame)


def read_inputs(job: Job, job_dir: Path, frames: tuple[int, ...], advance: Advance) -> Inputs:
    """Read and check the source frames, passes and matrices of the whole shot, and prepare the controls of `frames`.

    All of the shot is read even for a part of it: the depth control is normalised over the whole clip, so that a
    frame looks the same to the model whichever part it is computed in.

    Args:
        job: see `at_result_size`.
        job_dir: the job folder.
        frames: scene frames that are computed.
        advance: called after each frame.

    Raises:
        BadJobError: a file is missing, damaged, of another size, or holds NaN, or the settings ask for what the shot
            has not; the message is one line.
        ModelMissingError: an annotator's weights or packages are not there.
        PackageMissingError: super-resolution is not installed.
    """
    shot, settings = job.shot, job.settings
    refuse_what_needs_passes(job)
    reference = read_reference(job, job_dir)
    objects = objects_reader(job, job_dir)

    def source(frame: int) -> np.ndarray:
        return read_source(job, job_dir, frame)

    makers = control_makers(job, job_dir, source, reference)
    regions = RegionMasks(job_dir, [region.objects for region in settings.regions]) if settings.regions else None
    every = shot.pass_frames or shot.frames
    checks = PassesCheck(job, job_dir)
    for done, frame in enumerate(every):
        look = _Look(job, job_dir, frame)
        matrices = objects(frame) if objects is not None else {}
        if shot.passes is not None:
            checks.see(frame, look.passes, matrices)
        # Frames between those of the shot carry motion only.
        if frame in shot.frames:
            check_source(job, job_dir, frame)
            for maker in makers.values():
                maker.see(frame, look, kept=frame in frames)
            if regions is not None:
                regions.see(frame, look.passes.object_id, kept=frame in frames)
        advance(done + 1, len(every), frame)
    if regions is not None:
        regions.check()
    return Inputs(
        frames,
        source,
        makers,
        width=shot.width,
        height=shot.height,
        regions=regions,
        reference=reference,
        notes=tuple(checks.notes()),
    )
