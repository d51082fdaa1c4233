"""One job of a worker process of its own, and the wait for its end.

Knows nothing of scenes and shots; what the interface does in steps that never wait is in work.py.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from ...client import WorkerProcess, WorkerSession
from ...client.environment import worker_environment
from ...protocol import (
    ERRORS,
    DeviceMissingError,
    DiffSynthError,
    Event,
    JobCancelled,
    JobCancelledError,
    JobDone,
    JobFailed,
    ModelMissingError,
    Settings,
)
from ..preferences import worker_python as find_worker_python

PACKAGE_ROOT = Path(__file__).resolve().parents[3]  # the folder that holds the package, for the worker's import path
POLL_SECONDS = 0.05  # fast enough for a progress line, slow enough to cost nothing beside the worker


def wait_for_job(
    submit: Callable[[WorkerSession], str],
    worker_python: Path | str | None,
    on_event: Callable[[Event], None] | None,
    is_cancelled: Callable[[], bool],
) -> JobDone:
    """Have a worker do the job that `submit` asks for, and wait for its end.

    Raises DiffSynthError of the kind that says why the job did not end well.
    """
    with new_session(worker_python) as session:
        job_id = submit(session)
        cancel_sent = False
        while True:
            for event in session.poll():
                if isinstance(event, JobDone):
                    return event
                if isinstance(event, JobFailed):
                    raise error_of(event)
                if isinstance(event, JobCancelled):
                    raise JobCancelledError("cancelled; the same again goes on where it stopped")
                if on_event:
                    on_event(event)
            if is_cancelled() and not cancel_sent:
                session.cancel(job_id)
                cancel_sent = True
            time.sleep(POLL_SECONDS)


def check_ready(settings: Settings, worker_python: Path | str | None = None) -> None:
    """Find what is certain to fail after the render, before it. Raises DeviceMissingError or ModelMissingError."""
    find_worker_python(worker_python)
    path = Path(settings.model)
    if settings.model == "demo" or (path.suffix.lower() == ".safetensors" and path.is_file()):
        return
    if not (path / "model_index.json").is_file():
        raise ModelMissingError(
            f"{path}: holds no model_index.json; choose the folder of a diffusers model, or a .safetensors file"
        )


def check_device(device: str, worker_python: Path | str | None = None) -> None:
    """Ask the worker's Python for a device that a job insists on, which takes the seconds that loading torch takes.

    Raises DeviceMissingError where it is not there.
    """
    if device != "cuda":  # the others are everywhere
        return
    python = find_worker_python(worker_python)
    code = "import sys, torch; sys.exit(not torch.cuda.is_available())"
    environment = worker_environment(PACKAGE_ROOT)
    done = subprocess.run([str(python), "-c", code], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        words = f" ({done.stderr.strip().splitlines()[-1]})" if done.stderr.strip() else ""
        raise DeviceMissingError(f"{python} finds no {device} device{words}; set Device to 'auto' or 'cpu'")


def new_session(worker_python: Path | str | None = None) -> WorkerSession:
    """Start a worker. Raises DeviceMissingError or WorkerDiedError when its interpreter is unknown or cannot start."""
    return WorkerSession(WorkerProcess(find_worker_python(worker_python), PACKAGE_ROOT))


def error_of(event: JobFailed) -> DiffSynthError:
    """A failure reported by the worker as the exception it was there; the worker's traceback is a note on it."""
    error = ERRORS.get(event.kind, DiffSynthError)(event.message)
    if event.traceback:
        error.add_note(event.traceback)
    return error
