"""The command check: what it says of the installation and of the open shot."""

import json
import os

import bpy
import pytest

from diffsynth_blender.host import addon
from diffsynth_blender.host.command import command
from tests.host.shots import make_shot
from tests.host.stand_in_worker import use_stand_in_worker


@pytest.fixture
def shot(tmp_path, monkeypatch) -> bpy.types.Scene:
    use_stand_in_worker(tmp_path, monkeypatch)
    addon.register()
    scene = make_shot(width=32, height=24)
    scene.diffsynth.prompt = "clay"
    yield scene
    addon.unregister()


def test_a_shot_that_is_ready(shot, capfd):
    """Version of Blender, and which frames would be stylised."""
    assert command.run(["check", "--json"]) == 0
    out, err = capfd.readouterr()
    notes = [json.loads(line)["text"] for line in out.splitlines()[:-1]]
    assert notes[0].startswith(f"Blender {bpy.app.version_string}")
    assert notes[1] == "shot: scene 'Scene', frames 4-6, can be stylised"
    assert all(f"diffsynth: {note}\n" in err for note in notes)


def test_a_shot_that_is_not(shot, capfd):
    """The sentence that the button would give; the installation is fine all the same."""
    shot.camera = None
    assert command.run(["check"]) == 0
    assert "scene 'Scene' cannot be stylised as it is: Scene 'Scene' has no camera" in capfd.readouterr().err


def test_a_worker_that_does_not_work(shot, tmp_path, capfd):
    """What it says is passed on; the exit code is that of a missing worker."""
    python = tmp_path / "broken"
    python.write_text("#!/bin/sh\necho '  BROKEN   torch: no module'\nexit 3\n")
    python.chmod(0o755)
    assert command.run(["check", "--worker-python", str(python)]) == 3
    err = capfd.readouterr().err
    assert "diffsynth: BROKEN torch: no module\n" in err
    assert f"diffsynth: error: {python}: this worker does not work" in err


def test_the_real_worker(monkeypatch, capfd):
    """The worker's self-test makes a frame with the demo model."""
    if not os.environ.get("DIFFSYNTH_WORKER_PYTHON"):
        pytest.fail("DIFFSYNTH_WORKER_PYTHON must name the worker's interpreter; `make test` sets it")
    assert command.run(["check"]) == 0
    assert "This installation works." in capfd.readouterr().err
