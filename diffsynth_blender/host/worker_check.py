"""The worker's own test, line by line: for the button Check and for the command check."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..client.environment import worker_environment
from ..environment.errors import SetupError
from ..environment.process_lines import run_lines
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

    def take(line: str) -> None:
        nonlocal last, broken
        last = line.strip() or last
        if broken is None and "BROKEN" in line:
            broken = last
        on_line(line)

    code = run_lines(
        [str(python), "-u", "-m", "diffsynth_blender.worker", "check"],
        environment=worker_environment(PACKAGE_ROOT),
        on_line=take,
        is_cancelled=is_cancelled,
        cancelled="the check was cancelled",
        remedy="repair the set-up, or choose the worker's Python",
    )
    if code:
        raise SetupError(f"{python}: this worker does not work: {broken or last}")
