"""Limits that a test puts on a real process and its disk, and takes off again. Needs Linux, and mostly root."""

import errno
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

AMPLE = 256 << 20  # bytes: more than any job here writes
WITHOUT_OVERRIDE = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
"""Starts a process of root's for which permissions count as for anybody else."""


class SmallDisk:
    """A file system in memory whose size changes while it is used."""

    def __init__(self, place: Path) -> None:
        """Mount it. Raises OSError where this process may not."""
        self.place = place
        place.mkdir()
        _run("mount", "-t", "tmpfs", "-o", f"size={AMPLE}", "none", place)

    def used(self) -> int:
        """Bytes that files take."""
        status = os.statvfs(self.place)
        return (status.f_blocks - status.f_bfree) * status.f_frsize

    def leave(self, free: int) -> None:
        """Leave so many bytes free, rounded up to pages; at least one page."""
        _run("mount", "-o", f"remount,size={self.used() + max(1, free)}", self.place)

    def widen(self) -> None:
        """Make room again."""
        _run("mount", "-o", f"remount,size={AMPLE}", self.place)

    def vanish(self) -> None:
        """Take it away under whoever uses it."""
        _run("umount", "--lazy", self.place)

    def close(self) -> None:
        """Unmount it."""
        subprocess.run(["umount", "--lazy", str(self.place)], capture_output=True, check=False)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk to fill; skips where nothing may be mounted."""
    try:
        disk = SmallDisk(tmp_path / "disk")
    except OSError as error:
        pytest.skip(f"needs to mount a file system: {error}")
    yield disk
    disk.close()


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


def _run(*command: object) -> None:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(errno.EPERM, done.stderr.strip())
