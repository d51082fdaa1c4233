"""The worker's environment from Blender: preferences, buttons, the worker's Python."""

import os
import sys
import time
from pathlib import Path

import bpy
import pytest

from diffsynth_blender.environment.layout import Layout, Marker
from diffsynth_blender.host import addon
from diffsynth_blender.host.command import command
from diffsynth_blender.host.command import setup as command_setup
from diffsynth_blender.host.command.arguments import SETUP_ACTIONS
from diffsynth_blender.host.preferences import PYTHON_VARIABLE, worker_python
from diffsynth_blender.host.setup import report as setup_report
from diffsynth_blender.host.setup import run as setup_run
from diffsynth_blender.host.setup.properties import plan_of
from diffsynth_blender.protocol import DeviceMissingError

WORKER = os.environ[PYTHON_VARIABLE]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the environment would lie, with nothing else that could give the worker's Python."""
    monkeypatch.delenv(PYTHON_VARIABLE, raising=False)
    monkeypatch.setattr("diffsynth_blender.host.setup.properties.user_folder", lambda: tmp_path)
    addon.register()
    yield tmp_path / "worker"
    addon.unregister()


def wait(seconds: float = 60) -> str:
    """The sentence that the set-up under way ends with."""
    deadline = time.monotonic() + seconds
    while setup_run.current().is_running and time.monotonic() < deadline:
        time.sleep(0.05)
    return setup_run.current().message


def test_the_environment_is_the_workers_python(folder):
    """Without one the error says which button makes it; a finished one is used, an unfinished one is not."""
    with pytest.raises(DeviceMissingError, match="press Set Up"):
        worker_python()
    layout = Layout(folder)
    layout.python.parent.mkdir(parents=True)
    layout.python.touch()
    with pytest.raises(DeviceMissingError, match="press Set Up"):
        worker_python()
    layout.write_marker(Marker("cpu", "0" * 64, "0.1.0", []))
    assert worker_python() == layout.python
    assert worker_python("/bin/sh") == Path("/bin/sh")


def test_online_access_is_respected(folder):
    """Blender stays offline unless the artist allows it, and the error says where."""
    assert not bpy.app.online_access
    assert bpy.ops.diffsynth.setup() == {"FINISHED"}
    assert "Allow Online Access" in wait() and setup_run.current().is_error
    assert not folder.exists()


def test_one_at_a_time_and_cancel(folder):
    """While one is under way no other starts; a cancelled one ends."""

    def task(report, is_cancelled):
        while not is_cancelled():
            time.sleep(0.01)
        return "stopped"

    setup_run.start(task)
    assert not bpy.ops.diffsynth.setup.poll() and not bpy.ops.diffsynth.setup_remove.poll()
    with pytest.raises(RuntimeError, match="under way"):
        setup_run.start(task)
    assert bpy.ops.diffsynth.setup_cancel() == {"FINISHED"}
    assert wait() == "stopped"
    assert not bpy.ops.diffsynth.setup_cancel.poll()


def test_remove(folder):
    """The folder goes, off the interface's thread."""
    layout = Layout(folder)
    layout.cache.mkdir(parents=True)
    assert bpy.ops.diffsynth.setup_remove() == {"FINISHED"}
    assert str(folder) in wait() and not folder.exists()


def test_check_reports_and_can_be_copied(folder, monkeypatch):
    """The worker's own test runs beside the interface; its report is kept, also where it found something broken."""
    monkeypatch.setenv(PYTHON_VARIABLE, WORKER)
    assert bpy.ops.diffsynth.check() == {"FINISHED"}
    assert wait(300) == "This installation works.", setup_report.text()
    assert "4 frames of 96x64 stylised" in setup_report.text()
    assert bpy.ops.diffsynth.check_copy.poll()
    monkeypatch.setenv(PYTHON_VARIABLE, sys.executable)
    assert bpy.ops.diffsynth.check() == {"FINISHED"}
    assert "BROKEN" in wait(300) and setup_run.current().is_error
    assert "torch" in setup_report.text()


def test_the_plan_is_for_this_blender(folder):
    """Blender's own interpreter is lent where it is of the locked version."""
    plan = plan_of(None)
    assert plan.layout.folder == folder
    assert plan.base_python is None or plan.base_python.is_file()


def test_from_the_command_line(folder, capsys):
    """The plan is told, an offline Blender installs nothing, a missing environment is no whole one."""
    assert set(SETUP_ACTIONS) == set(command_setup.ACTIONS)
    assert command.run(["setup", "plan"]) == 3
    said = capsys.readouterr().err
    assert "to download" in said.lower() or "download:" in said.lower()
    assert "Allow Online Access" in said
    assert command.run(["setup", "verify"]) == 3 and "absent" in capsys.readouterr().err
    assert command.run(["setup", "remove"]) == 0
    assert command.run(["setup"]) == 2
    assert not folder.exists()
