"""The lock files: every package of the worker's environment with its version and the hashes of its files.

One file for each backend, in the form of pip's requirements. Comments at the top of a file, one a platform, say how
much is downloaded, and where torch comes from its own index which of its builds that is:

    # linux: 528 MB to download, torch's build cpu
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from .backends import BACKENDS
from .errors import SetupError

PYTHON = "3.11"
"""The Python of the environment: Blender's own up to 5.0, and the newest that every package has files for."""
LOCKS = Path(__file__).with_name("locks")
REGENERATE = "python -m diffsynth_blender.environment.write_locks"

_PLATFORM = re.compile(
    r"^# (?P<system>\w+): (?P<megabytes>\d+) MB to download(, torch's build (?P<build>[\w.]+))?$", re.M
)
_PINNED = re.compile(r"^(?P<name>[A-Za-z0-9_.-]+)==(?P<version>[^\s;\\]+)", re.M)

UNPACKED = 3.2
"""Bytes on disk for a byte downloaded: 1.6 GB for 528 MB with the CPU build, its cache shared by hard links."""


@dataclass(frozen=True)
class Lock:
    """What one backend's lock file says about this platform."""

    path: Path
    backend: str
    download_bytes: int
    versions: dict[str, str]
    """By normalised name of the package; those of other platforms are among them."""
    torch_build: str = ""
    """Which of torch's own indexes has its build for this platform, such as "cu130"; "" for the package index."""

    @property
    def disk_bytes(self) -> int:
        """Room that the environment takes, its download cache included; an estimate."""
        return round(self.download_bytes * UNPACKED)

    @property
    def digest(self) -> str:
        """Tells one lock from another: SHA-256 of the file, hexadecimal."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


def normalised(name: str) -> str:
    """The one spelling of a package's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_lock(backend: str, system: str) -> Lock:
    """The lock of a backend.

    Args:
        backend: one of `BACKENDS`.
        system: "linux", "windows" or "macos".

    Raises:
        SetupError: there is none for this backend or platform.
    """
    if backend not in BACKENDS:
        raise SetupError(f"{backend!r} is no backend; choose one of {', '.join(BACKENDS)}")
    path = LOCKS / f"{backend}.txt"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    platforms = {found["system"]: found for found in _PLATFORM.finditer(text)}
    if system not in platforms:
        other = "" if backend == "cpu" else "choose the backend cpu, or "
        raise SetupError(
            f"there is no list of packages for {backend} on {system}; {other}give a Python that has the worker's "
            "packages already"
        )
    versions = {normalised(found["name"]): found["version"] for found in _PINNED.finditer(text)}
    found = platforms[system]
    return Lock(path, backend, int(found["megabytes"]) * 10**6, versions, found["build"] or "")
