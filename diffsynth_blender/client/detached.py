"""A worker that goes on without its host: started for a job folder, then known by that folder's files alone.

It lives as long as its event file is locked; so it can be found again by whoever opens the folder later, and nobody is
fooled by a process id that belongs to somebody else by now.
"""

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from ..protocol.errors import JobBusyError, WorkerDiedError
from ..protocol.job_folder import check_folder
from ..protocol.lock import try_lock
from ..protocol.traces import events_path, log_path
from .behind import let_go, start_behind
from .environment import worker_environment

RUN = ("-m", "diffsynth_blender.worker", "run")
START_SECONDS = 30.0  # to the first line of the event file; it takes a fraction of a second on an idle machine


def start_detached(python: Path, package_root: Path, job_dir: Path, *, arguments: Sequence[str] = RUN) -> int:
    """Start a worker that runs or resumes a job folder and outlives this process; returns its process id.

    Waits until others can find it, which takes as long as its interpreter takes to start: 0.2 s on an idle machine.

    Args:
        python: The worker's interpreter.
        package_root: Folder that holds the package `diffsynth_blender`.
        job_dir: The job folder.
        arguments: For the interpreter; something else than the worker of this package in tests only.

    Raises:
        JobBusyError: A detached worker is at the folder already, or another host starts one there.
        BadJobError: The folder leads out of itself.
        WorkerDiedError: The interpreter cannot be started, or is no worker's.
        OSError: The folder cannot be written.
    """
    check_folder(job_dir)
    events, log = events_path(job_dir), log_path(job_dir)
    events.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as stderr:
        # Locked by the host that starts a worker, and on POSIX by the worker after that: it inherits the file.
        if not try_lock(stderr) or is_detached(job_dir):
            raise JobBusyError(f"{job_dir}: a worker goes on with this job already; wait for it or stop it")
        stderr.truncate(0)
        events.unlink(missing_ok=True)  # or its old end would be taken for the new one's
        try:
            process = start_behind(
                [str(python), *arguments, str(Path(job_dir).absolute()), "--events", str(events)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                env=worker_environment(package_root),
                leaves=True,
            )
        except OSError as error:
            raise WorkerDiedError(
                f"{python}: cannot be started: {error.strerror}; choose the worker's Python in the preferences"
            ) from None
        _wait_for_events(process, python, job_dir)
    let_go(process)
    return process.pid


def _wait_for_events(process: subprocess.Popen[bytes], python: Path, job_dir: Path) -> None:
    """Wait until others can find a worker. Raises WorkerDiedError where it ends before that, or takes too long."""
    events, log = events_path(job_dir), log_path(job_dir)
    deadline = time.monotonic() + START_SECONDS
    while not events.is_file() or not (is_detached(job_dir) or events.stat().st_size):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            process.wait()
            lines = log.read_text(errors="replace").split("\n")
            last = next((f"; its last words: {line}" for line in reversed(lines) if line.strip()), "")
            raise WorkerDiedError(f"{python}: did not start as a worker{last}; see {log}")
        time.sleep(0.01)


def is_detached(job_dir: Path) -> bool:
    """Whether a detached worker of this machine is at the job folder now."""
    try:
        with events_path(job_dir).open("rb+") as file:
            return not try_lock(file)  # the lock goes with the file, at once
    except OSError:  # no such file, or one that cannot be written: nobody writes it
        return False


def has_traces(job_dir: Path) -> bool:
    """Whether a detached worker of this machine was ever at the job folder, with these results."""
    return events_path(job_dir).is_file()
