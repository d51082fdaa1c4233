"""What a set-up will do, said before it does it."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from .backends import Backend, find_backend
from .errors import SetupError
from .layout import Layout, system_name
from .lock import PYTHON, Lock, read_lock
from .source import Source


@dataclass(frozen=True)
class Plan:
    """What will be installed, where, how much, and for what."""

    layout: Layout
    backend: Backend
    lock: Lock
    source: Source
    base_python: Path | None
    """Interpreter that the environment borrows; None for one that uv finds or downloads."""

    def lines(self) -> list[str]:
        """The plan for people to agree to."""
        free = shutil.disk_usage(_existing(self.layout.folder)).free
        source = self.source
        origin = f"the folder {source.wheelhouse}" if source.wheelhouse else source.index_url or "the package index"
        python = f"that of {self.base_python}" if self.base_python else "found or downloaded"
        return [
            f"Backend: {self.backend.name} ({self.backend.found})",
            f"Packages: {len(self.lock.versions)} from {origin}, each checked by its hash",
            f"Python: {PYTHON}, {python}",
            f"Folder: {self.layout.folder}",
            f"Download: {_size(self.lock.download_bytes)}, on disk {_size(self.lock.disk_bytes)} of {_size(free)} free",
        ]

    def check(self) -> None:
        """Raise SetupError where it cannot succeed."""
        self.source.check()
        parent = _existing(self.layout.folder)
        free = shutil.disk_usage(parent).free
        if free < self.lock.disk_bytes and self.layout.state() == "absent":
            raise SetupError(
                f"{parent}: {_size(free)} are free and {_size(self.lock.disk_bytes)} are needed; make room, or choose "
                "another folder"
            )
        if self.base_python is not None and not self.base_python.is_file():
            raise SetupError(f"{self.base_python}: no such interpreter; give another one")


def make_plan(
    folder: Path, *, backend: str = "", base_python: Path | None = None, source: Source | None = None
) -> Plan:
    """Look at the machine and say what would be done; nothing is changed.

    Args:
        folder: of the environment.
        backend: one of `BACKENDS`; "" for what the machine has.
        base_python: an interpreter to borrow, of the version that the packages were locked for.
        source: where packages come from; the network by default.

    Raises:
        SetupError: there is no list of packages for this machine.
    """
    found = Backend(backend, "as chosen") if backend else find_backend()
    return Plan(Layout(folder), found, read_lock(found.name, system_name()), source or Source(), base_python)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that exists."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
