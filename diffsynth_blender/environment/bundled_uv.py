"""The uv that comes with the extension: a wheel for each platform, pinned by hash, in the folder `wheels`.

`python -m diffsynth_blender.environment.bundled_uv` fetches them with pip.
"""

import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from ..protocol.files import file_sha256, replacing
from .errors import SetupError

WHEELS = Path(__file__).resolve().parents[2] / "wheels"
VERSION = "0.13.9"


@dataclass(frozen=True)
class Wheel:
    """The file of one platform."""

    tag: str
    """Its platform as pip calls it."""
    sha256: str

    @property
    def path(self) -> Path:
        """Where it lies in the extension."""
        return WHEELS / f"uv-{VERSION}-py3-none-{self.tag}.whl"


UV_WHEELS = {
    ("Linux", "x86_64"): Wheel(
        "manylinux_2_17_x86_64.manylinux2014_x86_64",
        "d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19",
    ),
    ("Windows", "AMD64"): Wheel("win_amd64", "6a44b2ed8111d2f60d2b92627c5dccda3f7ed7570b18ce115e569cd68c28246b"),
    ("Darwin", "arm64"): Wheel("macosx_11_0_arm64", "66c512266d633bef48384a1f53003f41f2a8e7b36fe6e7fbfd3e0fd52d96fa63"),
}
"""By what `platform` says of system and machine."""


def unpack_uv(target: Path) -> None:
    """Put the uv of this platform at `target`, ready to run. Raises SetupError where the extension has none."""
    system = (platform.system(), platform.machine())
    if system not in UV_WHEELS:
        raise SetupError(
            f"there is no installer for {' on '.join(reversed(system))}; give a Python that has the worker's packages"
        )
    wheel = UV_WHEELS[system]
    again = "install the extension again (from a checkout: make wheels)"
    if not wheel.path.is_file():
        raise SetupError(f"{wheel.path}: not there; {again}")
    if file_sha256(wheel.path) != wheel.sha256:
        raise SetupError(f"{wheel.path}: not the file it should be, its hash differs; {again}")
    with zipfile.ZipFile(wheel.path) as archive, replacing(target) as temporary:
        name = f"uv-{VERSION}.data/scripts/uv{'.exe' if system[0] == 'Windows' else ''}"
        with archive.open(name) as packed, temporary.open("wb") as unpacked:
            shutil.copyfileobj(packed, unpacked)
        temporary.chmod(0o755)


def fetch_wheels() -> None:
    """Download the wheels that are not there yet. Raises subprocess.CalledProcessError with pip's words on stderr."""
    for wheel in UV_WHEELS.values():
        if wheel.path.is_file() and file_sha256(wheel.path) == wheel.sha256:
            continue
        with tempfile.TemporaryDirectory() as folder:
            pins = Path(folder, "uv.txt")
            pins.write_text(f"uv=={VERSION} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
            tag = wheel.tag.split(".")[0]
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
            pip += ["--require-hashes", "--platform", tag, "--dest", str(WHEELS), "--requirement", str(pins)]
            subprocess.run(pip, check=True)


if __name__ == "__main__":
    fetch_wheels()
