"""Make the environments that the demo and the tests run in: `python3 tests/environments/make.py NAME ...`.

Each is a virtual environment under `build/venv/NAME` with every dependency pinned; it is made once and made anew
when its pins change. What the system itself must offer (shared libraries, a Python of the right version) is checked
first: as root it is installed with apt-get, otherwise the exact command is printed and nothing is changed.
Standard library only: this runs before anything is installed.
"""

import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
VENVS = ROOT / "build" / "venv"

# Shared libraries that the bpy wheels link or open, and the Debian package of each (Debian 12; same names on Ubuntu).
BPY_LIBRARIES = {
    "libX11.so.6": "libx11-6",
    "libXi.so.6": "libxi6",
    "libXfixes.so.3": "libxfixes3",
    "libXrender.so.1": "libxrender1",
    "libXxf86vm.so.1": "libxxf86vm1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libSM.so.6": "libsm6",
    "libICE.so.6": "libice6",
    "libXt.so.6": "libxt6",
    "libGL.so.1": "libgl1",
    "libgomp.so.1": "libgomp1",
    "libEGL.so.1": "libegl1",
    "libEGL_mesa.so.0": "libegl-mesa0",
}
# EEVEE and Workbench draw through Mesa's software driver, which is opened by path and not by name.
MESA_DRIVERS = ("libgl1-mesa-dri", ("*/dri/swrast_dri.so", "*/dri/libdril_dri.so"))


class SetupError(Exception):
    """Something the system must offer is missing; the message says what to do."""


@dataclass(frozen=True)
class Environment:
    """One virtual environment."""

    python: str
    """The Python it needs, as `major.minor`: one Blender is exactly one Python."""
    requirements: tuple[Path, ...]
    """Pin files, installed together."""
    first: tuple[str, ...] = ()
    """Requirements installed before the rest, so that nothing else chooses their build."""
    alone: tuple[Path, ...] = ()
    """Pin files installed after the rest and without what their packages ask for."""
    libraries: dict[str, str] = field(default_factory=dict)
    """Shared library → Debian package."""


def _host(blender: str, python: str) -> Environment:
    return Environment(python, (HERE / f"host-{blender}.txt", HERE / "pytest.txt"), libraries=BPY_LIBRARIES)


ENVIRONMENTS = {
    "worker": Environment(
        "3.11",
        (ROOT / "diffsynth_blender" / "worker" / "requirements.txt", HERE / "pytest.txt"),
        first=("torch==2.13.0",),
        alone=(ROOT / "diffsynth_blender" / "worker" / "requirements-alone.txt",),
    ),
    "host-4.2": _host("4.2", "3.11"),
    "host-4.5": _host("4.5", "3.11"),
    "host-5.0": _host("5.0", "3.11"),
    "host-5.2": _host("5.2", "3.13"),
    "bench": Environment("3.11", (HERE / "bench.txt", HERE / "pytest.txt")),
    "lint": Environment("3.11", (HERE / "lint.txt",)),
}


def find_python(version: str) -> str | None:
    """Path of a working interpreter of `version` ("3.11"), or None."""
    candidates = [f"python{version}", *map(str, sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python")))]
    for candidate in candidates:
        path = shutil.which(candidate)
        if path is None:
            continue
        # A version manager's shim exists for versions that are not active: only running it tells.
        probe = [path, "-c", "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"]
        done = subprocess.run(probe, capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout.strip() == version:
            return path
    return None


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def missing_packages(libraries: dict[str, str]) -> list[str]:
    """Debian packages of the shared libraries that cannot be loaded."""
    if not libraries or not sys.platform.startswith("linux"):
        return []
    missing = [package for library, package in libraries.items() if not _loads(library)]
    package, patterns = MESA_DRIVERS
    if not any(found for pattern in patterns for found in Path("/usr/lib").glob(pattern)):
        missing.append(package)
    return missing


def apt_install(packages: list[str]) -> None:
    """Install Debian packages when root; otherwise raise SetupError naming the command."""
    command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise SetupError(f"missing system packages; run: sudo {' '.join(command)}")
    print(f"installing system packages: {' '.join(packages)}", flush=True)
    subprocess.run(["apt-get", "update", "-qq"], check=True)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def make(name: str) -> None:
    """Make environment `name`, or do nothing when it is up to date."""
    environment = ENVIRONMENTS[name]
    venv = VENVS / name
    stamp = venv / "pins.sha256"
    pin_files = (*environment.requirements, *environment.alone)
    pins = hashlib.sha256(b"".join(path.read_bytes() for path in pin_files)).hexdigest()
    if packages := missing_packages(environment.libraries):
        apt_install(packages)
    if stamp.is_file() and stamp.read_text() == pins:
        return
    python = find_python(environment.python)
    if python is None:
        version = environment.python
        raise SetupError(
            f"environment {name} needs Python {version} with venv; run: "
            f"sudo apt-get install -y python{version} python{version}-venv   (or: pyenv install {version})"
        )
    print(f"making environment {name} (Python {environment.python}) in {venv.relative_to(ROOT)}", flush=True)
    shutil.rmtree(venv, ignore_errors=True)
    subprocess.run([python, "-m", "venv", str(venv)], check=True)
    pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    pinned = [word for path in environment.requirements for word in ("-r", str(path))]
    constraints = [word for path in environment.requirements for word in ("-c", str(path))]
    if environment.first:
        subprocess.run([*pip, *constraints, *environment.first], check=True)
    subprocess.run([*pip, *pinned], check=True)
    for path in environment.alone:
        subprocess.run([*pip, "--no-deps", "-r", str(path)], check=True)
    stamp.write_text(pins)


def main(arguments: list[str]) -> int:
    """Make each environment named; `--available` only says which of them this machine's Pythons allow."""
    if arguments[:1] == ["--available"]:
        print(" ".join(name for name in arguments[1:] if find_python(ENVIRONMENTS[name].python)))
        return 0
    unknown = [name for name in arguments if name not in ENVIRONMENTS]
    if unknown or not arguments:
        print(f"usage: make.py [--available] NAME ...   with NAME of: {' '.join(ENVIRONMENTS)}", file=sys.stderr)
        return 2
    try:
        for name in arguments:
            make(name)
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"error: {' '.join(map(str, error.cmd))} failed with exit code {error.returncode}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
