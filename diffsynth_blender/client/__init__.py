"""The host's end of the pipe: starts a worker, sends requests, collects events. Knows no bpy."""

from .detached import has_traces, is_detached, start_detached
from .follower import DetachedWorker
from .process import WorkerProcess
from .session import WorkerSession

__all__ = ["DetachedWorker", "WorkerProcess", "WorkerSession", "has_traces", "is_detached", "start_detached"]
