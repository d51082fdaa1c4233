"""The exact motion of a job's shot: its files and cameras as the motion engine wants them. Knows no torch."""

from collections.abc import Sequence
from pathlib import Path

from ..motion.clip import Clip
from ..protocol import Job
from .inputs import objects_reader, read_frame_passes


def clip_of(job: Job, job_dir: Path, frames: Sequence[int], device: str) -> Clip:
    """The exact motion of some scene frames of a job, on a Warp device; passes are read as they are needed."""
    shot = job.shot
    return Clip(
        frames,
        shot.pass_frames,
        lambda frame: read_frame_passes(job, job_dir, frame),
        {camera.frame: camera for camera in shot.cameras},
        width=shot.width,
        height=shot.height,
        background_depth=shot.background_depth,
        sample_offset=shot.sample_offset,
        objects=objects_reader(job, job_dir),
        device=device,
    )
