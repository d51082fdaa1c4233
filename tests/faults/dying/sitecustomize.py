"""A process that dies at its n-th touch of a folder. In a folder of its own: on PYTHONPATH, Python imports it first.

Touches are what Python opens, renames, removes and makes in there, so that every state of the disk between two of
them is one that a kill can leave.
"""

import atexit
import os
import signal
import sys

FOLDER, NUMBER, COUNT = "DIFFSYNTH_DIE_IN", "DIFFSYNTH_DIE_AT", "DIFFSYNTH_TOUCHES"
"""Environment variables: the folder; the touch that is the last, from 1; a file that receives how many there were."""
EVENTS = ("open", "os.rename", "os.remove", "os.mkdir", "os.truncate", "os.scandir")


def watch(folder: str, last: int, count_path: str) -> None:
    """Count the touches of the folder; die at the last."""
    touched = 0

    def see(event: str, arguments: tuple) -> None:
        nonlocal touched
        if event not in EVENTS or not str(arguments[0]).startswith(folder):
            return
        touched += 1
        if touched == last:
            os.kill(os.getpid(), signal.SIGKILL)

    def tell() -> None:
        descriptor = os.open(count_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.write(descriptor, str(touched).encode())
        os.close(descriptor)

    sys.addaudithook(see)
    if count_path:
        atexit.register(tell)


if FOLDER in os.environ:
    watch(os.environ[FOLDER], int(os.environ.get(NUMBER, "0")), os.environ.get(COUNT, ""))
