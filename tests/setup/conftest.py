"""Set-ups for real: the bundled uv, the package index, folders with spaces and umlauts in their names."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from diffsynth_blender.environment.backends import Backend
from diffsynth_blender.environment.bundled_uv import fetch_wheels
from diffsynth_blender.environment.layout import Layout, system_name
from diffsynth_blender.environment.lock import Lock, read_lock
from diffsynth_blender.environment.plan import Plan
from diffsynth_blender.environment.source import Source

SMALL = ("certifi", "idna", "packaging")
"""Packages of the real lock that are quickly installed."""


def folder_of_wheels() -> Path | None:
    """Where pip has been told to find wheels on this machine, such as torch's; None for nowhere."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", "global.find-links"], capture_output=True, text=True, check=False
    )
    return Path(done.stdout.strip().split()[0]) if done.returncode == 0 and done.stdout.strip() else None


def from_index():
    """Arguments for the machine's own package index; torch's CPU build comes from where pip has been told."""
    folder = folder_of_wheels()
    return ("--find-links", folder) if folder else ()


def pins(lock: Lock, *packages: str) -> str:
    """The lines of some packages in a lock file."""
    entries = lock.path.read_text(encoding="utf-8").replace(" \\\n", " \\\0").splitlines()
    return "".join(f"{line}\n" for line in entries if line.split("==")[0] in packages).replace("\0", "\n")


@pytest.fixture(scope="session", autouse=True)
def wheels():
    """The wheels that the extension brings."""
    fetch_wheels()


@pytest.fixture(scope="session")
def real_lock() -> Lock:
    return read_lock("cpu", system_name())


@pytest.fixture
def small_lock(real_lock, tmp_path) -> Lock:
    """The real lock with three of its packages."""
    path = tmp_path / "cpu.txt"
    path.write_text(pins(real_lock, *SMALL), encoding="utf-8")
    versions = {name: real_lock.versions[name] for name in SMALL}
    return replace(real_lock, path=path, download_bytes=600_000, versions=versions)


@pytest.fixture
def plan(small_lock, tmp_path) -> Plan:
    """A set-up of the small lock, in a folder whose name is not plain."""
    layout = Layout(tmp_path / "Blender für alle" / "worker")
    # An own index of the machine's would be asked for torch: not with these packages.
    source = Source(find_links=folder_of_wheels() or tmp_path)
    return Plan(layout, Backend("cpu", "as chosen"), small_lock, source, Path(sys.executable))


def python_says(python: Path, code: str, **options) -> str:
    """What a script prints, run by an interpreter that ignores who runs the tests."""
    done = subprocess.run([str(python), "-I", "-c", code], capture_output=True, text=True, check=True, **options)
    return done.stdout.strip()
