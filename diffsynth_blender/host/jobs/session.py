"""What a job needs of a worker, whether this Blender started it or only follows it."""

from __future__ import annotations

from typing import Protocol

from ...protocol import Event


class Session(Protocol):
    """A worker at one job: `WorkerSession`, or `DetachedWorker` where it was started without this Blender."""

    def poll(self) -> list[Event]:
        """The events since the last call; never waits."""

    def cancel(self, job_id: str) -> None:
        """Ask it to stop at its next step."""

    def close(self, grace: float = ...) -> None:
        """End it."""
