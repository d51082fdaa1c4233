"""Everything a job reads, checked before anything is computed: source frames, exact passes, and the controls from them.

Knows files and numpy, not torch: a broken file is reported in the first seconds, before a model is loaded.
"""

import hashlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..passes.errors import PassError
from ..passes.exr import ExactPasses, read_passes
from ..passes.images import read_png
from ..protocol import BadJobError, Job, settings_hash
from ..protocol.objects import load_objects
from ..protocol.shot import Matrix
from .control_makers import ControlMaker, control_makers

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
    ) -> None:
        """Take what reads a scene frame, and by kind what makes its control; both return (H, W, 3) in [0, 1]."""
        self.frames = frames
        """Scene frames, rising."""
        self.width = width
        """Of the frames that are computed [px]."""
        self.height = height
        self._source = lru_cache(KEPT)(read_source)
        self._controls = {kind: lru_cache(KEPT)(maker.image) for kind, maker in controls.items()}

    def source(self, index: int) -> np.ndarray:
        """A frame as the artist sees it, float32 in [0, 1], shape (H, W, 3); not to be written to."""
        return self._source(self.frames[index])

    def control(self, kind: str, index: int) -> np.ndarray:
        """What the ControlNet of this kind sees of a frame, as `source`."""
        return self._controls[kind](self.frames[index])


def run_hash(job: Job, job_dir: Path) -> str:
    """Hash of all that decides the result: the job file and the pixels of the source frames.

    The passes are made by the same render as the source frames; hashing their gigabytes would cost minutes a clip.
    Raises BadJobError naming a source frame that is missing.
    """
    digest = hashlib.sha256(settings_hash(job).encode())
    for frame in job.shot.frames:
        path = job.shot.source_path(job_dir, frame)
        try:
            digest.update(path.read_bytes())
        except OSError as error:
            raise BadJobError(f"{path}: cannot be read ({error.strerror}); capture the frame again") from error
    return digest.hexdigest()


def read_frame_passes(job: Job, job_dir: Path, frame: int) -> ExactPasses:
    """The exact passes of a scene frame. Raises BadJobError naming file and remedy."""
    shot = job.shot
    try:
        return read_passes(shot.passes_path(job_dir, frame), shot.channels, width=shot.width, height=shot.height)
    except PassError as error:
        raise BadJobError(str(error)) from error


def objects_reader(job: Job, job_dir: Path) -> Callable[[int], Mapping[int, Matrix]] | None:
    """What reads the matrices of a scene frame's objects, by ids as in `ExactPasses`; None where the shot has none.

    The reader raises BadJobError naming file and remedy.
    """
    if job.shot.objects is None:
        return None

    def read(frame: int) -> dict[int, Matrix]:
        path = job.shot.objects_path(job_dir, frame)
        assert path is not None
        # The passes hold the same 32 bits as a signed integer.
        return {bits - (bits >> 31 << 32): matrix for bits, matrix in load_objects(path).items()}

    return read


def read_source(job: Job, job_dir: Path, frame: int) -> np.ndarray:
    """The source frame (H, W, 3) in [0, 1]. Raises BadJobError naming file and remedy."""
    return read_frame(job.shot.source_path(job_dir, frame), job)


def read_frame(path: Path, job: Job) -> np.ndarray:
    """A picture of the shot's size, (H, W, 3) in [0, 1]. Raises BadJobError naming file and remedy."""
    try:
        return read_png(path, width=job.shot.width, height=job.shot.height)
    except PassError as error:
        raise BadJobError(str(error)) from error


def read_inputs(job: Job, job_dir: Path, frames: tuple[int, ...], advance: Advance) -> Inputs:
    """Read and check the source frames, passes and matrices of the whole shot, and prepare the controls of `frames`.

    All of the shot is read even for a part of it: the depth control is normalised over the whole clip, so that a
    frame looks the same to the model whichever part it is computed in.

    Raises:
        BadJobError: a file is missing, damaged, of another size, or holds NaN; the message is one line.
    """
    shot = job.shot
    objects = objects_reader(job, job_dir)
    makers = control_makers(job, job_dir)
    for done, frame in enumerate(shot.pass_frames):
        passes = read_frame_passes(job, job_dir, frame)
        if objects is not None:
            objects(frame)
        # Frames between those of the shot carry motion only.
        if frame in shot.frames:
            read_source(job, job_dir, frame)
            for maker in makers.values():
                maker.see(frame, passes, kept=frame in frames)
        advance(done + 1, len(shot.pass_frames), frame)
    return Inputs(frames, lambda frame: read_source(job, job_dir, frame), makers, width=shot.width, height=shot.height)
