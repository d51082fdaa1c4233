"""Starting processes that work behind the host: whoever works in the host's interface comes first.

Knows neither worker nor job: what is started, and with which pipes, is the caller's to say.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any

STEPS_BACK = 10  # of niceness: where every core is busy, a tenth of the host's share; all of it where the host waits


def start_behind(command: Sequence[str], *, leaves: bool = False, **options: Any) -> subprocess.Popen[Any]:
    """Start a process at a lower priority than this one, and in a group of its own.

    So Ctrl-C in a terminal is the host's alone. It stays in the host's session: Linux shares its processors out among
    sessions first (autogroup, see sched(7)), and priorities count within one only. From a session of its own, a worker
    with a thread for every core would get as much as everything else together, and the interface would wait for it.

    Args:
        command: Interpreter and arguments.
        leaves: Whether it is to outlive the host, and has a session of its own for that.
        options: For `subprocess.Popen`.

    Raises:
        OSError: It cannot be started.
    """
    if sys.platform == "win32":
        flags = (
            subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.BELOW_NORMAL_PRIORITY_CLASS
        )
        return subprocess.Popen(command, creationflags=flags, **options)
    where: dict[str, Any] = {"start_new_session": True} if leaves else {"process_group": 0}
    process = subprocess.Popen(command, **where, **options)
    try:
        # The group, not the process: on Linux that would be its first thread, and others may be there by now.
        os.setpriority(os.PRIO_PGRP, process.pid, min(19, os.getpriority(os.PRIO_PROCESS, 0) + STEPS_BACK))
    except ProcessLookupError:
        pass  # it has ended already, which its caller notices
    return process


def let_go(process: subprocess.Popen[Any]) -> None:
    """Do not wait; but should this process live on, somebody has to take note of the end, or a zombie stays."""
    threading.Thread(target=process.wait, name="DiffSynth end of a process that left", daemon=True).start()
