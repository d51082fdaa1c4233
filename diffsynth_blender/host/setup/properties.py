"""How the worker's environment is made: choices of the machine, kept in the preferences."""

from __future__ import annotations

import sys
from pathlib import Path

import bpy
from bpy.props import EnumProperty, StringProperty

from ...environment.lock import PYTHON
from ...environment.plan import Plan, make_plan
from ...environment.source import Source
from ..addon_id import user_folder


class DiffsynthSetup(bpy.types.PropertyGroup):
    """Where the worker's packages come from and where they go."""

    folder: StringProperty(
        name="Folder",
        description="Where the worker's environment is made; left empty, the extension's own user folder",
        default="",
        subtype="DIR_PATH",
    )
    backend: EnumProperty(
        name="Backend",
        description="What the worker computes on; decides which build of torch is installed",
        items=(
            ("AUTO", "Automatic", "What is found on this machine"),
            ("CPU", "Processor", "No graphics card: slow, works everywhere"),
            ("CUDA", "CUDA", "An NVIDIA graphics card"),
            ("ROCM", "ROCm", "An AMD graphics card, on Linux"),
            ("MACOS", "Apple", "An Apple processor"),
        ),
        default="AUTO",
    )
    base_python: StringProperty(
        name="Python",
        description="Interpreter that the environment is made with; left empty, Blender's own where it fits, "
        "else one that is found or downloaded",
        default="",
        subtype="FILE_PATH",
    )
    wheelhouse: StringProperty(
        name="Wheelhouse",
        description="Folder with every package, for machines without network; nothing is downloaded then",
        default="",
        subtype="DIR_PATH",
    )
    index_url: StringProperty(
        name="Index Mirror",
        description="URL of a mirror of the Python package index; left empty, the public one",
        default="",
    )
    proxy: StringProperty(
        name="Proxy",
        description="URL of a proxy for the downloads; left empty, what the system says",
        default="",
    )


def folder_of(chosen: DiffsynthSetup | None) -> Path:
    """Where the environment lies."""
    if chosen is not None and chosen.folder:
        return Path(bpy.path.abspath(chosen.folder)).absolute()
    return user_folder() / "worker"


def plan_of(chosen: DiffsynthSetup | None) -> Plan:
    """What setting up would do, as it is chosen. Raises SetupError where this machine has no list of packages."""
    if chosen is None:  # imported plainly: there are no preferences
        return make_plan(folder_of(None), base_python=_own(), source=Source(allow_network=bpy.app.online_access))
    return make_plan(
        folder_of(chosen),
        backend="" if chosen.backend == "AUTO" else chosen.backend.lower(),
        base_python=_path(chosen.base_python) or _own(),
        source=Source(
            wheelhouse=_path(chosen.wheelhouse),
            index_url=chosen.index_url,
            proxy=chosen.proxy,
            allow_network=bpy.app.online_access,
        ),
    )


def _own() -> Path | None:
    """Blender's own interpreter, where it is of the version that the packages were locked for."""
    fits = "{}.{}".format(*sys.version_info) == PYTHON
    return Path(sys.executable).absolute() if fits else None


def _path(text: str) -> Path | None:
    return Path(bpy.path.abspath(text)).absolute() if text else None


CLASSES = (DiffsynthSetup,)
