"""Where packages come from: an index on the network, a mirror of it, or a folder of wheels."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import SetupError

_OWN = ("PYTHON", "UV_", "PIP_", "VIRTUAL_ENV", "CONDA_")
"""Starts of variables that would lead uv elsewhere."""


@dataclass(frozen=True)
class Source:
    """The network, unless a folder of wheels is given."""

    wheelhouse: Path | None = None
    """Folder with every wheel that is needed; the network is then not used at all."""
    index_url: str = ""
    """A mirror of the package index; "" for the public one."""
    find_links: Path | None = None
    """Folder with some wheels, beside the index."""
    proxy: str = ""
    """URL of a proxy; "" for what the system says."""
    allow_network: bool = True
    """Whether anything may be downloaded."""

    def check(self) -> None:
        """Raise SetupError where nothing can be had from here."""
        for name, folder in (("wheelhouse", self.wheelhouse), ("folder of wheels", self.find_links)):
            if folder is not None and not folder.is_dir():
                raise SetupError(f"{folder}: no such folder; correct the {name}")
        if self.wheelhouse is None and not self.allow_network:
            raise SetupError(
                "Blender is set to stay offline; switch on Preferences > System > Network > Allow Online Access, "
                "or give a wheelhouse folder"
            )

    def arguments(self, torch_build: str) -> list[str]:
        """For uv, when it installs a lock with this build of torch, `Lock.torch_build`."""
        if self.wheelhouse is not None:
            # Not --offline, beside which uv does not take the options that a repair needs.
            return ["--no-index", "--find-links", str(self.wheelhouse)]
        arguments = ["--system-certs"]
        if self.index_url:
            arguments += ["--index-url", self.index_url]
        if self.find_links is not None:
            arguments += ["--find-links", str(self.find_links)]
        elif torch_build:
            arguments += ["--torch-backend", torch_build]  # uv knows where torch's own indexes are
        return arguments

    def environment(self, folder: Path) -> Mapping[str, str]:
        """Variables for uv: it keeps everything below `folder`, and obeys no one else's settings."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith(_OWN)}
        environment |= {
            "UV_NO_CONFIG": "1",
            "UV_CACHE_DIR": str(folder / "cache"),
            "UV_PYTHON_INSTALL_DIR": str(folder / "python"),
            "UV_PYTHON_DOWNLOADS": "automatic" if self.wheelhouse is None and self.allow_network else "never",
            "UV_NO_PROGRESS": "1",
        }
        if self.proxy:
            environment |= {"HTTP_PROXY": self.proxy, "HTTPS_PROXY": self.proxy, "ALL_PROXY": self.proxy}
        return environment
