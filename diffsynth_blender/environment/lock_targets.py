"""Which builds of torch are locked for which platform of each backend; for `write_locks` alone.

Some builds lie in torch's own index alone. Where that cannot be reached, their facts are written down here, and a
stand-in, a wheel of the same name and needs without content, takes their place while the lock is resolved.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path

from ..protocol.files import file_sha256
from .lock import PYTHON

TORCH = "2.13.0"
NEEDS = ("filelock", "typing-extensions", "setuptools", "sympy", "networkx", "jinja2", "fsspec")
"""What every build of torch asks for (its METADATA). The builds for ROCm also ask for triton-rocm, which only
torch.compile uses, and the worker does not compile."""


@dataclass(frozen=True)
class Build:
    """A file of torch's own index, as lock files of public projects name it."""

    version: str
    tag: str
    """Its platform."""
    sha256: str
    megabytes: int
    """About; measured on the file for Python 3.12 (and for ROCm on that of 2.13.0)."""

    def stand_in(self, folder: Path) -> str:
        """Write the stand-in into a folder; returns its SHA-256."""
        python = "cp" + PYTHON.replace(".", "")
        path = folder / f"torch-{self.version}-{python}-{python}-{self.tag}.whl"
        info = f"torch-{self.version}.dist-info"
        needs = "".join(f"Requires-Dist: {name}\n" for name in NEEDS)
        with zipfile.ZipFile(path, "w") as wheel:
            wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: torch\nVersion: {self.version}\n{needs}")
            wheel.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nTag: {python}-{python}-{self.tag}\n")
            wheel.writestr(f"{info}/RECORD", "")
        return file_sha256(path)


# Both hashes stand in the locks or notes of two projects each that do not know of each other; the ROCm builds of 2.13.0
# have no hash in torch's index, so no lock names one.
CUDA_WINDOWS = Build(
    "2.13.0+cu130", "win_amd64", "45e97bd9bc0416f4f4190b5098c55119a389fa5a7c8bbf2639f08f1d04e0a0dc", 1916
)
ROCM_LINUX = Build(
    "2.14.0+rocm7.2",
    "manylinux_2_28_x86_64",
    "95ff2c8cc86b5e950ca55b2e8272c60d70c138851869bcca5eee6a36710ef9e0",
    6228,
)


@dataclass(frozen=True)
class Target:
    """One platform of a backend."""

    system: str
    """As in `lock.py`."""
    marker: str
    """Of a requirement that is for this platform alone."""
    platform: str
    """uv's name of it."""
    version: str = TORCH
    """Of torch, with what torch's own index appends to it, such as "+cpu"."""
    build: Build | None = None
    """Its facts, where it is not looked for."""

    @property
    def torch(self) -> str:
        """The requirement."""
        # "==" would also take a build with a local version, such as the one in a folder of wheels.
        return f"torch==={self.version} ; {self.marker}"

    @property
    def torch_build(self) -> str:
        """As in `Lock`."""
        return self.version.partition("+")[2]


_LINUX = ("linux", "sys_platform == 'linux'", "x86_64-manylinux_2_28")
_WINDOWS = ("windows", "sys_platform == 'win32'", "x86_64-pc-windows-msvc")

TARGETS: dict[str, tuple[Target, ...]] = {
    "cpu": (Target(*_LINUX, f"{TORCH}+cpu"), Target(*_WINDOWS)),
    "cuda": (Target(*_LINUX), Target(*_WINDOWS, CUDA_WINDOWS.version, CUDA_WINDOWS)),
    "macos": (Target("macos", "sys_platform == 'darwin'", "aarch64-apple-darwin"),),
    "rocm": (Target(*_LINUX, ROCM_LINUX.version, ROCM_LINUX),),
}
"""Platforms by backend."""
