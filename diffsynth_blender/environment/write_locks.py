"""Write the lock files anew: `python -m diffsynth_blender.environment.write_locks --uv UV [BACKEND ...]`.

From the pins in `worker/requirements*.txt` and the builds of torch in `lock_targets.py`. The one for the processor on
Linux, which the package index does not have, comes from a folder of wheels.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from .lock import LOCKS, PYTHON, REGENERATE
from .lock_targets import TARGETS, Target

WORKER = Path(__file__).resolve().parents[1] / "worker"

UV_ENVIRONMENT = {**os.environ, "MACOSX_DEPLOYMENT_TARGET": "14.0"}
"""For uv; with the oldest macOS that torch has files for."""


class LockWriter:
    """Asks uv."""

    def __init__(self, uv: Path, find_links: Sequence[str]) -> None:
        self._uv = uv
        self._find_links = [argument for folder in find_links for argument in ("--find-links", folder)]
        self._stand_ins: tuple[str, ...] = ()

    def write(self, backend: str) -> Path:
        """Write the lock of a backend. Raises RuntimeError with uv's words where it cannot be resolved."""
        targets = TARGETS[backend]
        pins = _requirements(WORKER / "requirements.txt") + [target.torch for target in targets]
        alone = _requirements(WORKER / "requirements-alone.txt")
        common = ("--generate-hashes", "--no-annotate", "--no-header", "--universal")
        head = [f"# Everything the worker runs on with {backend}; made by {REGENERATE}"]
        with tempfile.TemporaryDirectory() as stand_ins:
            self._stand_ins = ("--find-links", stand_ins)
            builds = [target.build for target in targets if target.build]
            hashes = {build.stand_in(Path(stand_ins)): build.sha256 for build in builds}
            locked = self._compile(pins, *common) + self._compile(alone, *common, "--no-deps")
            for target in targets:
                megabytes = round(self._size(pins, alone, target) / 1e6)
                megabytes += target.build.megabytes if target.build else 0
                origin = f", torch's build {target.torch_build}" if target.torch_build else ""
                head.append(f"# {target.system}: {megabytes} MB to download{origin}")
        for stand_in, real in hashes.items():
            locked = locked.replace(stand_in, real)
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
            command += [*self._find_links, *self._stand_ins, *options]
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=UV_ENVIRONMENT)
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
