"""Whether every file of the environment is the one that was installed."""

import base64
import csv
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import SetupCancelledError
from .layout import Layout
from .lock import Lock, normalised


@dataclass(frozen=True)
class Problem:
    """A package that is not as it should be."""

    package: str
    """Its normalised name."""
    what: str
    """What is wrong with it, such as a missing file."""

    def __str__(self) -> str:
        return f"{self.package}: {self.what}"


def find_problems(
    layout: Layout, lock: Lock, *, is_cancelled: Callable[[], bool] = lambda: False
) -> tuple[Problem, ...]:
    """Every package that lacks a file, has a changed one, or is of another version than the lock's; one problem each.

    Reads all files: 1.6 GB take some seconds. Raises SetupCancelledError when asked to stop.
    """
    marker = layout.marker()
    lacking = set(marker.packages) if marker else set()
    problems = []
    for info in sorted(layout.site_packages.glob("*.dist-info")):
        name, version = info.name.removesuffix(".dist-info").rsplit("-", 1)
        name = normalised(name)
        lacking.discard(name)
        what = next(_wrong_files(info, is_cancelled), "")
        if not what and name in lock.versions and not _same_version(lock.versions[name], version):
            what = f"version {version} where {lock.versions[name]} is locked"
        if what:
            problems.append(Problem(name, what))
    return (*problems, *(Problem(name, "it is not there") for name in sorted(lacking)))


def installed_packages(layout: Layout) -> list[str]:
    """Normalised names of the packages that are there."""
    infos = layout.site_packages.glob("*.dist-info")
    return sorted(normalised(info.name.removesuffix(".dist-info").rsplit("-", 1)[0]) for info in infos)


def _wrong_files(info: Path, is_cancelled: Callable[[], bool]) -> Iterator[str]:
    record = info / "RECORD"
    if not record.is_file():
        yield f"{record.name} is missing"
        return
    with record.open(encoding="utf-8", newline="") as file:
        for path, digest, _ in csv.reader(file):
            if is_cancelled():
                raise SetupCancelledError("the check was cancelled")
            target = info.parent / path
            if not target.is_file():
                if not path.endswith(".pyc"):  # made at the first import, and anew where it is missing
                    yield f"{path} is missing"
            elif digest and not _fits(target, digest):
                yield f"{path} was changed or is damaged"


def _fits(path: Path, digest: str) -> bool:
    """Whether a file has the hash that a RECORD says (PEP 376: url-safe base64 without padding)."""
    kind, wanted = digest.split("=", 1)
    with path.open("rb") as file:
        found = hashlib.file_digest(file, kind).digest()
    return base64.urlsafe_b64encode(found).rstrip(b"=").decode() == wanted.rstrip("=")


def _same_version(locked: str, installed: str) -> bool:
    """Torch is locked in several builds, which differ after the "+"."""
    return locked.split("+")[0] == installed.split("+")[0]
