"""Write the lock files anew: `python -m diffsynth_blender.environment.write_locks --uv UV [BACKEND ...]`.

From the pins in `worker/requirements*.txt` and the build of torch of each backend. Builds that the package index does
not have (all but macOS and CUDA on Linux) come from torch's own index, or from a folder of wheels.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from .lock import LOCKS, PYTHON, REGENERATE

WORKER = Path(__file__).resolve().parents[1] / "worker"
TORCH = "2.13.0"


# The oldest macOS that torch has files for.
_ENVIRONMENT = {**os.environ, "MACOSX_DEPLOYMENT_TARGET": "14.0"}


@dataclass(frozen=True)
class Target:
    """One platform of a backend."""

    system: str
    """As in `lock.py`."""
    marker: str
    """Of a requirement that is for this platform alone."""
    platform: str
    """uv's name of it."""
    local: str = ""
    """What torch's own index appends to its version, such as "+cpu"."""

    @property
    def torch(self) -> str:
        """The requirement."""
        # "==" would also take a build with a local version, such as the one in a folder of wheels.
        return f"torch==={TORCH}{self.local} ; {self.marker}"


_LINUX = ("linux", "sys_platform == 'linux'", "x86_64-manylinux_2_28")
_WINDOWS = ("windows", "sys_platform == 'win32'", "x86_64-pc-windows-msvc")

TARGETS: dict[str, tuple[Target, ...]] = {
    "cpu": (Target(*_LINUX, "+cpu"), Target(*_WINDOWS)),
    "cuda": (Target(*_LINUX),),
    "macos": (Target("macos", "sys_platform == 'darwin'", "aarch64-apple-darwin"),),
}
"""Platforms by backend. ROCm and CUDA on Windows are missing: their builds lie in torch's own index alone."""


class LockWriter:
    """Asks uv."""

    def __init__(self, uv: Path, find_links: Sequence[str]) -> None:
        self._uv = uv
        self._find_links = [argument for folder in find_links for argument in ("--find-links", folder)]

    def write(self, backend: str) -> Path:
        """Write the lock of a backend. Raises RuntimeError with uv's words where it cannot be resolved."""
        targets = TARGETS[backend]
        pins = _requirements(WORKER / "requirements.txt") + [target.torch for target in targets]
        alone = _requirements(WORKER / "requirements-alone.txt")
        common = ("--generate-hashes", "--no-annotate", "--no-header", "--universal")
        locked = self._compile(pins, *common) + self._compile(alone, *common, "--no-deps")
        head = [f"# Everything the worker runs on with {backend}; made by {REGENERATE}"]
        for target in targets:
            megabytes = round(self._size(pins, alone, target) / 1e6)
            head.append(f"# {target.system}: {megabytes} MB to download")
        path = LOCKS / f"{backend}.txt"
        path.write_text("\n".join(head) + "\n" + locked, encoding="utf-8")
        return path

    def _size(self, pins: Sequence[str], alone: Sequence[str], target: Target) -> int:
        """Bytes to download on a platform."""
        options = ("--format", "pylock.toml", "--python-platform", target.platform)
        total = 0
        for requirements, more in ((pins, ()), (alone, ("--no-deps",))):
            for package in tomllib.loads(self._compile(requirements, *options, *more))["packages"]:
                files = package.get("wheels") or [package["sdist"]]
                total += min(map(_bytes, files))
        return total

    def _compile(self, requirements: Sequence[str], *options: str) -> str:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "requirements.in")
            source.write_text("\n".join(requirements) + "\n", encoding="utf-8")
            command = [
                str(self._uv),
                "pip",
                "compile",
                str(source),
                "--quiet",
                "--no-config",
                "--python-version",
                PYTHON,
            ]
            command += [*self._find_links, *options]
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=_ENVIRONMENT)
        if done.returncode:
            raise RuntimeError(done.stderr.strip())
        return done.stdout


def _bytes(file: dict) -> int:
    """Size of a file of pylock.toml; one in a folder of wheels has none there."""
    if "size" in file:
        return file["size"]
    place = file["path"] if "path" in file else url2pathname(urlsplit(file["url"]).path)
    return Path(place).stat().st_size


def _requirements(path: Path) -> list[str]:
    """The pins in a file, torch left out: each backend has a build of its own."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith(("#", "torch=="))]


def main() -> int:
    """Write the locks that are asked for, all by default; 1 where one cannot be resolved."""
    parser = argparse.ArgumentParser(prog="write_locks", description=__doc__)
    parser.add_argument("--uv", type=Path, required=True, help="the uv that resolves")
    parser.add_argument("--find-links", action="append", default=[], help="folder with wheels of torch")
    parser.add_argument("backends", nargs="*", choices=[*TARGETS, []], help="which, all by default")
    options = parser.parse_args()
    writer, failed = LockWriter(options.uv, options.find_links), False
    for backend in options.backends or TARGETS:
        try:
            print(f"{backend}: {writer.write(backend)}")
        except RuntimeError as error:
            print(f"{backend}: {error}", file=sys.stderr)
            failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
