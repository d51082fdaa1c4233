"""Measure a finished job from the files it wrote, and write report.json and compare.png."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from ..blending.metrics import remap, sharpness, warp_error
from ..motion.clip import Clip
from ..protocol import Job, baseline_path, output_path
from .compare import COLUMNS, COMPARE_FILE, GAIN, write_sheet
from .inputs import read_frame, read_source
from .report import Report, Sharpness, Temporal, versions

Read = Callable[[int], np.ndarray]
"""Index of a frame in the shot → the frame (H, W, 3) in [0, 1]."""


def measure(
    job: Job,
    job_dir: Path,
    clip: Clip | None,
    *,
    device: str,
    run_id: str,
    seconds: dict[str, float],
    notes: Sequence[str],
) -> None:
    """Write JOB/report.json, and JOB/compare.png where the job has independent frames to compare with.

    Args:
        job: the job; every frame of its shot is written.
        job_dir: the job folder.
        clip: the exact motion of the whole shot; None for footage, of which there is nothing to measure along.
        device: the device in words.
        run_id: hash of all that decided the result.
        seconds: time by part.
        notes: what the run told.
    """
    shot = job.shot

    def reader(path_of: Callable[[Path, int], Path]) -> Read:
        return lambda index: read_frame(path_of(job_dir, shot.frames[index]), job)

    def source(index: int) -> np.ndarray:
        return read_source(job, job_dir, shot.frames[index])

    result = reader(output_path)
    baseline = reader(baseline_path) if job.settings.baseline else None

    def temporal(clip: Clip) -> Temporal:
        def error(read: Read) -> float:
            # A clip in which nothing is ever seen twice has no pair that could disagree.
            return warp_error(_every(read, len(shot.frames)), clip.field) or 0.0

        return Temporal(error(source), baseline and error(baseline), error(result))

    def clip_sharpness(read: Read) -> float:
        value = sharpness(_every(read, len(shot.frames)))
        assert value is not None  # a job has at least one frame
        return value

    report = Report(
        frames=len(shot.frames),
        width=shot.width,
        height=shot.height,
        device=device,
        temporal=None if clip is None else temporal(clip),
        sharpness=Sharpness(clip_sharpness(source), baseline and clip_sharpness(baseline), clip_sharpness(result)),
        settings_hash=run_id,
        seconds={name: round(value, 2) for name, value in seconds.items()},
        versions=versions(shot.blender),
        notes=tuple(notes),
    )
    if clip is not None and baseline is not None and len(shot.frames) > 1:
        _compare(job_dir, len(shot.frames), clip, source, baseline, result)
    report.write(job_dir)  # last: where it is, everything is


def _every(read: Read, count: int) -> Iterator[np.ndarray]:
    return (read(index) for index in range(count))


def _compare(job_dir: Path, count: int, clip: Clip, source: Read, baseline: Read, result: Read) -> None:
    """Consecutive frames from the middle of the shot; each difference is to the frame before, along the motion."""
    columns = min(COLUMNS, count - 1)
    first = max(1, (count - columns) // 2)
    shown = range(first, first + columns)

    def flicker(read: Read) -> np.ndarray:
        frames = []
        for index in shown:
            field = clip.field(index, index - 1)
            change = np.abs(remap(read(index - 1), field) - read(index))
            frames.append(np.where(field[..., 2:] > 0.0, GAIN * change, 0.0))
        return np.stack(frames)

    def row(read: Read) -> np.ndarray:
        return np.stack([read(index) for index in shown])

    write_sheet(
        job_dir / COMPARE_FILE,
        [
            ("source render", row(source)),
            ("independent frames", row(baseline)),
            ("DiffSynth", row(result)),
            (f"flicker of independent frames (x{GAIN:g})", flicker(baseline)),
            (f"flicker of DiffSynth (x{GAIN:g})", flicker(result)),
        ],
    )
