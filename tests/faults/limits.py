"""Limits that a test puts on a running process and takes off again. Needs Linux; control groups need root."""

import errno
import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

WITHOUT_OVERRIDE = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
"""Starts a process of root's for which permissions count as for anybody else."""


@contextmanager
def file_size(pid: int, limit: int) -> Iterator[None]:
    """No file that a process writes may become longer [bytes]: how anybody can have a disk that takes no more."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


class Group:
    """A control group of one kind for a process: what it may use of something, and how often it was refused."""

    def __init__(self, kind: str, name: str) -> None:
        """Make the group. Raises OSError where there are no groups of this kind, or this process may not make any."""
        self._folder = Path("/sys/fs/cgroup") / kind / name
        if not self._folder.parent.joinpath("tasks").exists():
            raise OSError(errno.ENOENT, f"no control groups of kind {kind} here")
        self._folder.mkdir()

    def set(self, key: str, value: int | str) -> None:
        """Set one of its limits."""
        (self._folder / key).write_text(str(value))

    def get(self, key: str) -> str:
        """Read one of its figures."""
        return (self._folder / key).read_text().strip()

    def prefix(self) -> tuple[str, ...]:
        """Starts a process in the group."""
        return "/bin/sh", "-c", f'echo $$ > {self._folder}/cgroup.procs; exec "$@"', "sh"

    def close(self) -> None:
        """Remove it; whoever is left in it goes back to the group of this process's parent."""
        for pid in self.get("cgroup.procs").split():
            with suppress(OSError):
                (self._folder.parent / "cgroup.procs").write_text(pid)
        self._folder.rmdir()


@contextmanager
def group(kind: str) -> Iterator[Group]:
    """A control group; skips where none can be made."""
    try:
        made = Group(kind, f"diffsynth-faults-{os.getpid()}")
    except OSError as error:
        pytest.skip(f"needs to make a control group: {error}")
    try:
        yield made
    finally:
        made.close()


def needs(*commands: str) -> None:
    """Skip where a command is not installed."""
    for command in commands:
        if shutil.which(command) is None:
            pytest.skip(f"needs {command}")


def as_anybody() -> tuple[str, ...]:
    """What starts a process for which permissions count; skips where that cannot be had."""
    if os.geteuid() != 0:
        return ()
    needs("setpriv")
    return WITHOUT_OVERRIDE
