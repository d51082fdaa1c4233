"""Job folders beside each other: one for each job of the queue, a small one for previews; frames shared by links."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from ...protocol import JOB_FILE, Job, Settings
from ...protocol.job import CACHE_FOLDER
from ..capture.folder import CaptureFolder
from ..capture.reuse import SOURCE_FILE

PREVIEW_SUFFIX = " Preview"


def free_folder(job_dir: Path, taken: Collection[Path]) -> Path:
    """The folder itself, or the first with a number behind its name, that holds no job and is not taken."""
    number, folder = 1, job_dir
    while folder in taken or (folder / JOB_FILE).exists():
        number += 1
        folder = job_dir.with_name(f"{job_dir.name} {number}")
    return folder


def preview_folder(job_dir: Path) -> Path:
    """The job folder of the previews of a shot, beside its own."""
    return job_dir.with_name(job_dir.name + PREVIEW_SUFFIX)


def share_frames(job: Job, source_dir: Path, target_dir: Path, frames: range, settings: Settings) -> None:
    """Make a job of some frames of a captured shot, in another folder, without rendering or copying anything.

    Files are linked where the file system can, else copied. Raises CaptureError where the folder cannot be written,
    JobBusyError where somebody is at it.

    Args:
        job: The captured shot.
        source_dir: Its job folder.
        target_dir: The other one; a job that it holds is replaced.
        frames: Scene frames of the new job, all of them frames of the shot.
        settings: How they are stylised.
    """
    folder = CaptureFolder(target_dir)
    folder.prepare(overwrite=True)
    try:
        shot = job.shot
        passes = [frame for frame in shot.pass_frames if frames[0] <= frame <= frames[-1]]
        files = [shot.source_path(source_dir, frame) for frame in frames]
        files += [shot.passes_path(source_dir, frame) for frame in passes]
        if shot.objects is not None:
            files += [shot.objects_path(source_dir, frame) for frame in passes]
        if (source_dir / SOURCE_FILE).is_file():  # where the frames came from goes with them
            files.append(source_dir / SOURCE_FILE)
        for file in files:
            target = target_dir / file.relative_to(source_dir)
            target.parent.mkdir(parents=True, exist_ok=True)
            _share(file, target)
        (target_dir / CACHE_FOLDER).mkdir(exist_ok=True)
        cameras = tuple(camera for camera in shot.cameras if camera.frame in passes)
        part = replace(shot, frames=tuple(frames), pass_frames=tuple(passes), cameras=cameras, render_seconds=0.0)
        folder.finish_job(Job(part, settings))
    finally:
        folder.release()


def _share(file: Path, target: Path) -> None:
    try:
        os.link(file, target)
    except OSError:  # another disk, or a file system without links
        shutil.copyfile(file, target)
