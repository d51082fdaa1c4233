"""The whole product: a real render, the real worker with the demo model, the frames back in the sequencer.

The worker's interpreter is named by DIFFSYNTH_WORKER_PYTHON, which `make test` sets.
"""

import json
import os

import numpy as np
import pytest

from diffsynth_blender.host.command import command
from diffsynth_blender.host.result import strip
from diffsynth_blender.protocol import output_path
from tests.host.shots import make_shot
from tests.host.test_strip import read_png, render_still


@pytest.fixture(autouse=True)
def worker_python():
    if not os.environ.get("DIFFSYNTH_WORKER_PYTHON"):
        pytest.fail("DIFFSYNTH_WORKER_PYTHON must name the worker's interpreter; `make test` sets it")


@pytest.fixture
def scene():
    shot = make_shot(width=64, height=40)
    shot.render.image_settings.file_format = "PNG"
    return shot


def test_from_the_scene_to_the_strip(scene, tmp_path, capfd):
    """One command renders, stylises and inserts; the edit scene shows the result's very pixels; the report is there."""
    job_dir = tmp_path / "job"
    arguments = ["run", "--prompt", "clay", "--steps", "4", "--style-strength", "0.75", "--output", str(job_dir)]
    assert command.run(arguments) == 0, capfd.readouterr().err
    edit_scene = strip.find_edit_scene(scene)
    assert (edit_scene.frame_start, edit_scene.frame_end) == (4, 6)
    result = read_png(output_path(job_dir, 5))
    assert np.array_equal(render_still(edit_scene, 5, tmp_path / "shown.png"), result)
    source = read_png(job_dir / "source" / "0005.png")
    assert np.abs(result.astype(int) - source).mean() > 4, "the model changed nothing"
    report = json.loads((job_dir / "report.json").read_text())
    [shown] = strip.strips_of(edit_scene)
    assert shown["diffsynth_settings_hash"] == report["settings_hash"] and "torch" in shown["diffsynth_versions"]
    text = f"diffsynth_settings_hash\0{report['settings_hash']}".encode()
    assert text in output_path(job_dir, 5).read_bytes(), "a frame tells what it was made with"
    assert report["frames"] == 3 and report["seconds"]["render"] > 0


def test_a_model_that_is_not_there_is_exit_code_3(scene, tmp_path, capfd):
    """The worker's error reaches the shell as one line."""
    arguments = ["run", "--prompt", "clay", "--model", "/nowhere/model", "--output", str(tmp_path / "job")]
    assert command.run(arguments) == 3
    error = capfd.readouterr().err
    assert "/nowhere/model" in error and "Traceback" not in error
