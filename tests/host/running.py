"""What tests of running jobs have in common: a captured shot, work driven as the timer does it, processes looked at."""

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import bpy

from diffsynth_blender.host import api
from diffsynth_blender.host.jobs import history, pump
from diffsynth_blender.host.jobs.folders import share_frames
from diffsynth_blender.host.jobs.record import JobRecord, new_record
from diffsynth_blender.host.jobs.work import Work
from diffsynth_blender.protocol import Control, Deflicker, Journal, Settings, load_job
from tests.host.shots import make_shot

SETTINGS = Settings(prompt="clay", steps=6, strength=1.0, controls=(Control("depth"),), deflicker=Deflicker(window=1))


def capture_shot(job_dir: Path) -> Path:
    """A small shot of three frames, rendered for real, that tests share by links."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = make_shot(width=64, height=40)
    return api.capture(scene, job_dir, settings=SETTINGS)


def take_shot(captured: Path, job_dir: Path, settings: Settings = SETTINGS) -> Path:
    """The same shot in another job folder."""
    job = load_job(captured)
    frames = job.shot.frames
    share_frames(job, captured, job_dir, range(frames[0], frames[-1] + 1), settings)
    return job_dir


def record_of(scene: bpy.types.Scene, job_dir: Path, settings: Settings = SETTINGS) -> JobRecord:
    """A job of the history for a folder that holds its shot."""
    return new_record(scene.name, job_dir, range(4, 7), settings)


def run_until(work: Work, condition: Callable[[], bool], seconds: float = 120.0) -> None:
    """Drive a work as the timer does until something holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, (work.state, work.progress, work.message)
        pump._tick() if pump.current() is work else work.tick()
        time.sleep(0.01)


def run_to_end(work: Work, seconds: float = 180.0) -> None:
    run_until(work, lambda: work.is_over, seconds)
    work.close("")


def is_denoising(work: Work, step: int) -> Callable[[], bool]:
    """Whether a work has finished so many denoising steps."""

    def reached() -> bool:
        assert not work.is_over, (work.state, work.message, work.details)
        words = work.progress.text.split()
        return words[0] == "Denoising" and int(words[1].split("/")[0]) >= step

    return reached


def hashes(job_dir: Path) -> dict[str, str]:
    """Of every result."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((job_dir / "output").iterdir())}


def is_free(job_dir: Path) -> bool:
    """Whether nobody holds the lock of a job folder."""
    Journal(job_dir).close()
    return True


def workers_of(job_dir: Path) -> list[int]:
    """Ids of the processes that a worker was started as, by this process or with the folder as an argument."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().split(b"\0")
            status = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if b"diffsynth_blender.worker" not in command or status[0] == "Z":
            continue
        if int(status[1]) == os.getpid() or str(job_dir).encode() in command:
            found.append(int(entry.name))
    return found


def is_left_alone(job_dir: Path) -> bool:
    """Whether no worker is at a job folder any more, and no lock is held."""
    deadline = time.monotonic() + 1.0  # between giving up its last lock and its end, a process takes a moment
    while workers_of(job_dir) and time.monotonic() < deadline:
        time.sleep(0.02)
    return workers_of(job_dir) == [] and is_free(job_dir)


def states(scene: bpy.types.Scene) -> list[str]:
    """Of the jobs in the history, the newest first."""
    return [record.state for record in history.records(scene)]
