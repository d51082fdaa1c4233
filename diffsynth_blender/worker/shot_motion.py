"""The motion of a job's shot: its files and cameras as the motion engine wants them. Knows no torch."""

from collections.abc import Sequence
from pathlib import Path

from ..blending.footage import Footage
from ..motion.clip import Clip
from ..protocol import Job
from .shot_files import objects_reader, read_frame_passes


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


def correspondence_of(job: Job, job_dir: Path, frames: Sequence[int], device: str) -> Clip | Footage:
    """What leads from one frame to another: exact motion where the shot has passes, matched patches where it has none.

    Patches too where the settings say to deflicker along those alone.
    """
    wanted = job.settings.deflicker
    if job.shot.passes is None or (wanted is not None and wanted.along == "matched"):
        return Footage(len(frames), width=job.shot.width, height=job.shot.height, device=device)
    return clip_of(job, job_dir, frames, device)
