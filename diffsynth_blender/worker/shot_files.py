"""The files of a job's shot, read one frame at a time in the size that is computed; complaints name file and remedy.

`at_result_size` makes of a job, once, the same job with a shot as large as its result; everything here takes such a
job. Where the settings ask for super-resolution the files are smaller, and only this module knows.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..passes.enlarge import enlarge_passes
from ..passes.errors import PassError
from ..passes.exr import ExactPasses, read_passes
from ..passes.images import read_png, write_png
from ..passes.stills import inspect, read_still
from ..passes.super_resolution import SuperResolution
from ..protocol import JOB_FILE, BadJobError, Job, PackageMissingError, Settings, settings_hash
from ..protocol.files import replacing
from ..protocol.job import CACHE_FOLDER
from ..protocol.objects import load_objects
from ..protocol.reading import read_file
from ..protocol.shot import Matrix

PICTURE_LIMIT = 2 << 30
"""Longest file of a frame [bytes]; 8K frames of 16 bits take 200 MB. More would only fill memory."""


def at_result_size(job: Job) -> Job:
    """The job with its shot as large as the frames that are computed: `upscale` times what its files hold."""
    factor, shot = job.settings.upscale, job.shot
    offset = (shot.sample_offset[0] * factor, shot.sample_offset[1] * factor)
    return replace(
        job, shot=replace(shot, width=shot.width * factor, height=shot.height * factor, sample_offset=offset)
    )


def run_hash(job: Job, job_dir: Path) -> str:
    """Hash of all that decides the result: the job file and the pixels of the source frames.

    The passes are made by the same render as the source frames; hashing their gigabytes would cost minutes a clip.
    Raises BadJobError naming a source frame that is missing.
    """
    digest = hashlib.sha256(settings_hash(job).encode())
    for frame in job.shot.frames:
        digest.update(_source_bytes(job, job_dir, frame))
    if job.settings.reference is not None:
        digest.update(_bytes(reference_path(job, job_dir), "choose another reference picture"))
    return digest.hexdigest()


def links_hash(job: Job, job_dir: Path) -> str:
    """Hash of all that links between the frames depend on: shots that are only styled otherwise share them.

    Raises BadJobError naming a source frame that is missing.
    """
    along = job.settings.deflicker.along if job.settings.deflicker else ""
    plain = replace(job, settings=Settings(prompt="", upscale=job.settings.upscale))
    digest = hashlib.sha256(f"{settings_hash(plain)} {along}".encode())
    for frame in job.shot.frames:
        digest.update(_source_bytes(job, job_dir, frame))
    return digest.hexdigest()


def read_frame_passes(job: Job, job_dir: Path, frame: int) -> ExactPasses:
    """The exact passes of a scene frame. Raises BadJobError naming file and remedy."""
    shot, factor = job.shot, job.settings.upscale
    try:
        passes = read_passes(
            shot.passes_path(job_dir, frame), shot.channels, width=shot.width // factor, height=shot.height // factor
        )
    except PassError as error:
        raise BadJobError(str(error)) from error
    return enlarge_passes(passes, factor)


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


def check_source(job: Job, job_dir: Path, frame: int) -> None:
    """Read a source frame as it is on disk. Raises BadJobError naming file and remedy."""
    _read_small(job, job_dir, frame)


def read_source(job: Job, job_dir: Path, frame: int) -> np.ndarray:
    """The source frame (H, W, 3) in [0, 1], enlarged where the settings say so. Raises as `read_frame`.

    Enlarged frames are kept in the cache, under the hash of what they were made of; they are always read from there, so
    that they hold the same bits in every run.
    """
    factor = job.settings.upscale
    if factor == 1:
        return read_frame(job.shot.source_path(job_dir, frame), job)
    digest = hashlib.sha256(_source_bytes(job, job_dir, frame)).hexdigest()[:16]
    path = Path(job_dir) / CACHE_FOLDER / f"source-x{factor}-{digest}.png"
    if not _is_whole(path, job):
        try:
            large = _super_resolution(factor).enlarge(_read_small(job, job_dir, frame))
        except PassError as error:
            raise PackageMissingError(f"{JOB_FILE}: settings.upscale: {error}") from error
        path.parent.mkdir(exist_ok=True)
        with replacing(path) as temporary:
            write_png(temporary, large)
    return read_frame(path, job)


def _is_whole(path: Path, job: Job) -> bool:
    """Whether an enlarged frame can be read: a damaged file in a cache is a missing one."""
    try:
        read_frame(path, job)
    except BadJobError:
        return False
    return True


def read_frame(path: Path, job: Job) -> np.ndarray:
    """A picture of the result's size, (H, W, 3) in [0, 1]. Raises BadJobError naming file and remedy."""
    return _read(path, job.shot.width, job.shot.height)


def reference_path(job: Job, job_dir: Path) -> Path:
    """Where the reference picture of a job that has one lies."""
    assert job.settings.reference is not None
    return Path(job_dir) / job.settings.reference.image


def read_reference(job: Job, job_dir: Path) -> np.ndarray | None:
    """The reference picture at its own size, (H', W', 3) in [0, 1]; None where the job has none.

    Raises BadJobError naming file and remedy.
    """
    if job.settings.reference is None:
        return None
    path = reference_path(job, job_dir)
    try:
        size = inspect(path)
        return read_still(path, width=size.width, height=size.height)
    except PassError as error:
        raise BadJobError(f"{JOB_FILE}: settings.reference.image: {error}") from error


def _read_small(job: Job, job_dir: Path, frame: int) -> np.ndarray:
    factor, shot = job.settings.upscale, job.shot
    return _read(shot.source_path(job_dir, frame), shot.width // factor, shot.height // factor)


def _read(path: Path, width: int, height: int) -> np.ndarray:
    try:
        return read_png(path, width=width, height=height)
    except PassError as error:
        raise BadJobError(str(error)) from error


def _source_bytes(job: Job, job_dir: Path, frame: int) -> bytes:
    return _bytes(job.shot.source_path(job_dir, frame), "capture the frame again")


def _bytes(path: Path, remedy: str) -> bytes:
    try:
        return read_file(path, PICTURE_LIMIT)
    except OSError as error:
        raise BadJobError(f"{path}: cannot be read ({error.strerror}); {remedy}") from error
    except ValueError as error:
        raise BadJobError(f"{path}: cannot be read ({error}); {remedy}") from error


@lru_cache(1)
def _super_resolution(factor: int) -> SuperResolution:
    return SuperResolution(factor)
