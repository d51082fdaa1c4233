"""The worker's own test, line by line: for the button Check and for the command check."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from ..client.environment import worker_environment
from ..environment.errors import SetupError
from ..environment.process_lines import lines_of
from .jobs.worker_job import PACKAGE_ROOT


def check_worker(python: Path, on_line: Callable[[str], None], is_cancelled: Callable[[], bool]) -> None:
    """Have a worker test itself, which takes seconds and computes a few frames.

    Args:
        python: The worker's interpreter.
        on_line: Receives every line that it says.
        is_cancelled: Asked all the time.

    Raises SetupError where it cannot be started or has found something, SetupCancelledError where it was cancelled.
    """
    last = "it said nothing"
    broken: str | None = None
    try:
        process = subprocess.Popen(
            [str(python), "-u", "-m", "diffsynth_blender.worker", "check"],
            env=worker_environment(PACKAGE_ROOT), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, encoding="utf-8", errors="replace",
        )  # fmt: skip
    except OSError as error:
        raise SetupError(
            f"{python}: cannot be started: {error.strerror}; repair the set-up, or choose the worker's Python"
        ) from None
    try:
        for line in lines_of(process.stdout, is_cancelled, "the check was cancelled"):
            last = line.strip() or last
            if broken is None and "BROKEN" in line:
                broken = last
            on_line(line)
    except BaseException:
        process.kill()
        raise
    finally:
        process.wait()
    if process.returncode:
        raise SetupError(f"{python}: this worker does not work: {broken or last}")
