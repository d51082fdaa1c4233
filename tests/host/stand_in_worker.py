"""A worker with the real server whose jobs need no model: each result is a copy of its source frame.

Started in place of the worker's Python, whatever the arguments. The prompt says what happens: "slow" waits to be
cancelled, "no memory" fails that way, "crash" dies.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from diffsynth_blender.protocol import (
    Event,
    FrameDone,
    JobCancelledError,
    JobProgress,
    Journal,
    WorkerMemoryError,
    load_job,
    output_path,
    settings_hash,
)
from diffsynth_blender.worker.__main__ import take_stdin, take_stdout
from diffsynth_blender.worker.server import end_with_parent, serve


def use_stand_in_worker(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the host start this file as the worker's Python."""
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{__file__}"\n')
    python.chmod(0o755)
    monkeypatch.setenv("DIFFSYNTH_WORKER_PYTHON", str(python))


def run_stand_in_job(
    job_dir: Path,
    frames: tuple[int, int] | None,
    on_event: Callable[[Event], None],
    is_cancelled: Callable[[], bool],
) -> None:
    """Copy every source frame to the results, as the real worker would: journal, progress, one event a frame."""
    job = load_job(job_dir)
    (job_dir / "worker.pid").write_text(str(os.getpid()))
    if job.settings.prompt == "crash":
        os._exit(3)
    if job.settings.prompt == "no memory":
        raise WorkerMemoryError("the device has too little memory; make the frames smaller")
    (job_dir / "output").mkdir(exist_ok=True)
    with Journal(job_dir) as journal:
        state = journal.start(settings_hash(job))
        for number, frame in enumerate(job.shot.frames):
            on_event(JobProgress("", "denoise", number, len(job.shot.frames), frame, 1.0))
            while job.settings.prompt == "slow":
                if is_cancelled():
                    raise JobCancelledError(f"{job_dir}: cancelled")
                time.sleep(0.01)
            path = output_path(job_dir, frame)
            if state.is_finished(path):
                continue
            path.write_bytes(job.shot.source_path(job_dir, frame).read_bytes())
            journal.frame_finished(frame, path)
            on_event(FrameDone("", frame, str(path)))
        journal.done()


if __name__ == "__main__":
    stdout = take_stdout()
    end_with_parent()
    sys.exit(serve(take_stdin(), stdout, run_job=run_stand_in_job))
