"""Keeping everybody else off a job folder: one at a time renders into it, stylises it, or changes its settings."""

from __future__ import annotations

import time
from pathlib import Path
from typing import IO

from ...protocol import JOURNAL_FILE, JobBusyError
from ...protocol.lock import try_lock

RENDER_SECONDS = 2.0  # a worker that was told to end may need a moment, and a render can wait for it


class FolderHold:
    """A job folder held like a worker that runs the job holds it: by the lock of its journal, until `release`."""

    def __init__(self, job_dir: Path, *, wait_seconds: float = 0.0) -> None:
        """Take hold of the folder, which must be there.

        Raises:
            JobBusyError: A worker or another Blender is at it.
            OSError: It cannot be written.
        """
        self._file: IO[bytes] = (Path(job_dir) / JOURNAL_FILE).open("ab")
        deadline = time.monotonic() + wait_seconds
        try:
            while not try_lock(self._file):
                if time.monotonic() >= deadline:
                    raise JobBusyError(f"{job_dir}: a worker or another Blender is at this job; wait for it or stop it")
                time.sleep(0.02)
        except BaseException:
            self._file.close()
            raise

    def forget_runs(self) -> None:
        """Empty the journal: what it tells of is a job that is no more."""
        self._file.truncate(0)

    def release(self) -> None:
        """Let others at the folder."""
        self._file.close()

    def __enter__(self) -> FolderHold:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
