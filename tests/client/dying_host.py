"""A host that runs a job and waits to be killed. Prints the process id of its worker, and of its child if it has one.

With "fork" as second argument, a child of the host holds the pipe to the worker open after the host is dead.
"""

import os
import sys
import time
from pathlib import Path

from diffsynth_blender.client import WorkerProcess, WorkerSession
from diffsynth_blender.protocol import JobProgress

HERE = Path(__file__).parent

if __name__ == "__main__":
    worker = WorkerProcess(Path(sys.executable), HERE.parents[1], arguments=(str(HERE / "slow_worker.py"), "serve"))
    session = WorkerSession(worker)
    session.submit(Path(sys.argv[1]))
    while not any(isinstance(event, JobProgress) for event in session.poll()):
        time.sleep(0.01)
    child = os.fork() if "fork" in sys.argv[2:] else None
    if child != 0:
        print(worker.pid, child or "", flush=True)
    time.sleep(60)
