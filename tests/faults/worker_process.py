"""The worker as a process that a fault test holds, see `held_process.py`."""

from collections.abc import Mapping
from pathlib import Path

from tests.e2e.conftest import ENVIRONMENT, worker_command
from tests.faults.held_process import (
    LIMIT,
    Hang,
    HeldProcess,
    is_running,
    left_of_session,
    session_members,
    wait_until,
)

__all__ = [
    "LIMIT",
    "Hang",
    "StartedWorker",
    "is_running",
    "left_of_session",
    "run_to_end",
    "session_members",
    "wait_until",
]


class StartedWorker(HeldProcess):
    """A worker's command line, in a session of its own."""

    def __init__(
        self, *arguments: object, environment: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> None:
        """Start `worker ARGUMENTS… --json`; `environment` comes on top of what every worker of the tests has."""
        super().__init__(worker_command(*arguments, "--json"), {**ENVIRONMENT, **(environment or {})}, cwd)


def run_to_end(*arguments: object, limit: float = LIMIT, environment: Mapping[str, str] | None = None) -> StartedWorker:
    """Run a worker's command line to its end and return it, with its exit code, events and words."""
    with StartedWorker(*arguments, environment=environment) as worker:
        worker.wait(limit)
    return worker
