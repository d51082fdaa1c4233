"""Tests inside Blender (the bpy module). Every one starts on an empty factory file."""

import os
import sys
from collections.abc import Iterator

import pytest

try:
    import bpy
except ImportError:  # the worker's environment: nothing to test here
    bpy = None
    collect_ignore_glob = ["test_*"]

_exit_status = 0


@pytest.fixture(autouse=True)
def empty_file() -> Iterator[None]:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    yield


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    global _exit_status  # noqa: PLW0603
    _exit_status = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave without the interpreter's own exit, which crashes in bpy 4.2 and hangs in 4.5 if classes are registered."""
    if bpy is not None and bpy.app.version < (5, 0, 0):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_exit_status)
