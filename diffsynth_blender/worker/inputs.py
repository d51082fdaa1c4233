"""Everything a job reads, checked before anything is computed: source frames, exact passes, and the controls from them.

Knows files and numpy, not torch: a broken file is reported in the first seconds, before a model is loaded.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..passes.controls import depth_control, depth_range, normal_control
from ..passes.errors import PassError
from ..passes.exr import ExactPasses, read_passes
from ..passes.images import read_png
from ..protocol import BadJobError, Job, settings_hash
from ..protocol.objects import load_objects
from ..protocol.shot import Matrix

Advance = Callable[[int, int, int], None]
"""Called with (frames finished, frames in all, scene frame)."""


@dataclass(frozen=True)
class Inputs:
    """What the frames that are computed look like to the model."""

    frames: tuple[int, ...]
    """Scene frames, rising."""
    source: np.ndarray
    """As the artist sees them, float32 in [0, 1], shape (T, H, W, 3)."""
    controls: dict[str, np.ndarray]
    """By kind, float32 in [0, 1], shape (T, H, W, 3)."""


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
    """Read and check the passes and matrices of the whole shot, and the source frames and controls of `frames`.

    All passes are read even for a part of the shot: the depth control is normalised over the whole clip, so that a
    frame looks the same to the model whichever part it is computed in.

    Raises:
        BadJobError: a file is missing, damaged, of another size, or holds NaN; the message is one line.
    """
    shot = job.shot
    cameras = {camera.frame: camera for camera in shot.cameras}
    objects = objects_reader(job, job_dir)
    kinds = [control.kind for control in job.settings.controls]
    depths: dict[int, np.ndarray] = {}
    normals: dict[int, np.ndarray] = {}

    def every_depth() -> Iterator[np.ndarray]:
        for done, frame in enumerate(shot.pass_frames):
            passes = read_frame_passes(job, job_dir, frame)
            if objects is not None:
                objects(frame)
            if frame in frames:
                depths[frame] = passes.depth
                if "normal" in kinds:
                    camera = np.asarray(cameras[frame].world_to_camera)
                    normals[frame] = normal_control(passes.normal, passes.depth, camera, shot.background_depth)
            advance(done + 1, len(shot.pass_frames), frame)
            # Frames between those of the shot carry motion only.
            if frame in shot.frames:
                yield passes.depth

    limits = depth_range(every_depth(), shot.background_depth)
    made = {"normal": lambda frame: normals[frame]}
    made["depth"] = lambda frame: depth_control(depths[frame], limits, shot.background_depth)
    return Inputs(
        frames=frames,
        source=np.stack([read_source(job, job_dir, frame) for frame in frames]),
        controls={kind: np.stack([made[kind](frame) for frame in frames]) for kind in kinds},
    )
