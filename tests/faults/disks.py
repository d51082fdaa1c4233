"""Disks of a test's own: small, read-only, slow, gone. Needs Linux, and root to mount; who may not, skips."""

import errno
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.limits import needs

AMPLE = 256 << 20  # bytes: more than any job here writes


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
def bind(real: Path, place: Path | None = None, *, read_only: bool = False) -> Iterator[Callable[[], None]]:
    """Show a folder at another place, or over itself; yields what takes it away under its users.

    Skips where nothing may be mounted.
    """
    where = place or real
    try:
        _run("mount", "--bind", real, where)
    except OSError as error:
        pytest.skip(f"needs to mount a folder: {error}")
    if read_only:
        _run("mount", "-o", "remount,bind,ro", where)
    taken = []

    def vanish() -> None:
        if not taken:
            taken.append(_run("umount", "--lazy", where))

    try:
        yield vanish
    finally:
        vanish()


@contextmanager
def slow_disk(place: Path, *, bytes_a_second: int) -> Iterator[Callable[[float], None]]:
    """A real file system on a device that writes slowly; yields what has it stand still for some seconds, once.

    Skips where there are no loop devices or control groups for them.
    """
    needs("mkfs.ext4", "losetup", "fsfreeze")
    throttle = Path("/sys/fs/cgroup/blkio/blkio.throttle.write_bps_device")
    image, device, timers = place.with_suffix(".img"), "", []
    try:
        with image.open("wb") as file:
            file.truncate(48 << 20)
        _run("mkfs.ext4", "-q", image)
        device = _run("losetup", "--find", "--show", image)
        numbers = os.stat(device).st_rdev
        node = f"{os.major(numbers)}:{os.minor(numbers)}"
        place.mkdir()
        _run("mount", device, place)
        throttle.write_text(f"{node} {bytes_a_second}")
    except OSError as error:
        if device:
            _run("losetup", "--detach", device)
        pytest.skip(f"needs a disk of its own and the right to slow it: {error}")

    def freeze(seconds: float) -> None:
        if not timers:
            _run("fsfreeze", "--freeze", place)
            timers.append(threading.Timer(seconds, _run, ("fsfreeze", "--unfreeze", place)))
            timers[0].start()

    try:
        yield freeze
    finally:
        for timer in timers:
            timer.join()
        throttle.write_text(f"{node} 0")
        _run("umount", place)
        _run("losetup", "--detach", device)


def _run(*command: object) -> str:
    """What a command says. Raises OSError where it fails."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(errno.EPERM, done.stderr.strip())
    return done.stdout.strip()
