"""The folder of the environment, and what is known of it without starting anything."""

import json
import os
import platform
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from ..protocol.files import write_bytes_atomic
from .errors import SetupError
from .lock import Lock

MARKER = "environment.json"
"""Written last: it is there only where a set-up came to its end."""

State = Literal["absent", "unfinished", "outdated", "ready"]


@dataclass(frozen=True)
class Marker:
    """What the environment was made of."""

    backend: str
    lock: str
    """`Lock.digest`."""
    version: str
    """Of DiffSynth."""
    packages: list[str]
    """Normalised names of what was installed: a lock also names what other platforms need."""


@dataclass(frozen=True)
class Layout:
    """Where the parts of the environment lie. Everything a set-up writes is below `folder`."""

    folder: Path

    @property
    def uv(self) -> Path:
        """The installer."""
        return self.folder / ("uv.exe" if os.name == "nt" else "uv")

    @property
    def venv(self) -> Path:
        """The virtual environment."""
        return self.folder / "venv"

    @property
    def python(self) -> Path:
        """The worker's interpreter."""
        return self.venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @property
    def site_packages(self) -> Path:
        """Where its packages lie."""
        if os.name == "nt":
            return self.venv / "Lib" / "site-packages"
        found = sorted((self.venv / "lib").glob("python3.*/site-packages"))
        return found[0] if found else self.venv / "lib" / "site-packages"

    @property
    def cache(self) -> Path:
        """Downloads; what an interrupted set-up goes on from."""
        return self.folder / "cache"

    @property
    def pythons(self) -> Path:
        """Interpreters that uv downloads where there is none to lend."""
        return self.folder / "python"

    @property
    def log(self) -> Path:
        """What uv said, of the last set-up."""
        return self.folder / "setup.log"

    @property
    def lock_file(self) -> Path:
        """Held by who changes the environment."""
        return self.folder / "setup.lock"

    def marker(self) -> Marker | None:
        """What the environment was made of; None where it is not finished."""
        try:
            value = json.loads((self.folder / MARKER).read_text(encoding="utf-8"))
            return Marker(**value)
        except (OSError, ValueError, TypeError):
            return None

    def write_marker(self, marker: Marker) -> None:
        """Say that the environment is finished."""
        write_bytes_atomic(self.folder / MARKER, json.dumps(asdict(marker)).encode())

    def drop_marker(self) -> None:
        """Say that it is not, before anything in it changes."""
        (self.folder / MARKER).unlink(missing_ok=True)

    def state(self, lock: Lock | None = None) -> State:
        """How far it is, as its files say without being read; `lock` tells what it should be made of."""
        if not self.folder.is_dir():
            return "absent"
        marker = self.marker()
        if marker is None or not self.python.exists():
            return "unfinished" if self.venv.exists() or self.cache.exists() else "absent"
        return "ready" if lock is None or marker.lock == lock.digest else "outdated"

    def remove(self) -> None:
        """Remove all of it. Raises SetupError where a file cannot be removed, or the folder is not an environment's."""
        if not self.folder.exists():
            return
        strange = [path.name for path in self.folder.iterdir() if path.name not in self._own_names()]
        if strange:
            raise SetupError(
                f"{self.folder}: holds {strange[0]!r}, which is not the set-up's; remove the folder by hand"
            )
        self.drop_marker()
        try:
            shutil.rmtree(self.folder)
        except OSError as error:
            raise SetupError(
                f"{error.filename}: cannot be removed: {error.strerror}; end the worker and try again"
            ) from None

    def _own_names(self) -> set[str]:
        paths = (self.uv, self.venv, self.cache, self.pythons, self.log, self.lock_file)
        return {path.name for path in paths} | {MARKER}


def system_name() -> str:
    """The platform, as the locks call it."""
    return {"Darwin": "macos"}.get(platform.system(), platform.system().lower())
