"""A Blender (the bpy module) in a process of its own, as `blender -b FILE --command diffsynth ARGUMENTS --json`.

    python -m tests.host.faults.host_process FILE ARGUMENTS…

`StartedHost` starts that and listens to it, see `tests/faults/held_process.py`.
"""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from tests.faults.held_process import LIMIT, HeldProcess, session_members

ROOT = Path(__file__).resolve().parents[3]
# Others may share the machine: waiting threads must not spin on its cores.
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": "1"}


class StartedHost(HeldProcess):
    """A Blender that runs one command line, in a session of its own, which is its worker's as well."""

    def __init__(self, file: Path, *arguments: object) -> None:
        """Open the file and run the command line."""
        command = [sys.executable, "-m", "tests.host.faults.host_process", str(file), *map(str, arguments), "--json"]
        super().__init__(command, ENVIRONMENT, ROOT)

    def workers(self) -> list[int]:
        """Process ids of its worker."""
        found = []
        for pid in session_members(self.pid):
            with suppress(OSError):  # it has just ended
                if b"diffsynth_blender.worker" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                    found.append(pid)
        return found

    def kill_all(self) -> None:
        """Kill Blender and worker, as a power cut or the system's memory killer does."""
        for pid in session_members(self.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    @property
    def error(self) -> str:
        """The sentence that it ended with; empty where there is none, or more than one, or a traceback."""
        errors = [line for line in self.stderr.splitlines() if line.startswith("diffsynth: error: ")]
        return errors[0] if len(errors) == 1 and "Traceback" not in self.stderr else ""


def run_to_end(file: Path, *arguments: object, limit: float = LIMIT) -> StartedHost:
    """Run a command line to its end and return it, with its exit code, events and words."""
    with StartedHost(file, *arguments) as host:
        host.wait(limit)
    return host


def main() -> None:
    """Open the file, run one command line, and leave with its exit code."""
    import bpy

    from diffsynth_blender.host.command import command

    bpy.ops.wm.open_mainfile(filepath=sys.argv[1])
    code = command.run(sys.argv[2:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # the wheels of 4.2 and 4.5 may hang in the interpreter's own exit


if __name__ == "__main__":
    main()
