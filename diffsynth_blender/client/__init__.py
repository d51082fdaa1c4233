"""The host's end of the pipe: starts a worker, sends requests, collects events. Knows no bpy."""

from .process import WorkerProcess
from .session import WorkerSession

__all__ = ["WorkerProcess", "WorkerSession"]
