"""The three calls: what the artist chose is used for whatever a script leaves out, and errors say what they are."""

import bpy
import pytest

from diffsynth_blender.host import addon, api
from diffsynth_blender.host.result.strip import find_edit_scene
from diffsynth_blender.protocol import (
    BadJobError,
    FrameDone,
    JobCancelledError,
    Settings,
    WorkerMemoryError,
    load_job,
    output_path,
)
from tests.host.shots import make_shot
from tests.host.stand_in_worker import use_stand_in_worker


@pytest.fixture
def shot(tmp_path, monkeypatch) -> bpy.types.Scene:
    """A shot whose choices are saved in the scene."""
    use_stand_in_worker(tmp_path, monkeypatch)
    addon.register()
    scene = make_shot(width=32, height=24)
    scene.diffsynth.prompt = "clay"
    scene.diffsynth.output_folder = str(tmp_path / "jobs")
    scene.diffsynth.use_own_range, scene.diffsynth.frame_start, scene.diffsynth.frame_end = True, 5, 6
    yield scene
    addon.unregister()


def test_three_calls(shot, tmp_path):
    """Folder, range and settings are those of the panel; every frame is told of; the strip is in the edit scene."""
    job_dir = api.capture(shot)
    assert job_dir == (tmp_path / "jobs" / "Scene").resolve()
    assert load_job(job_dir).shot.frames == (5, 6) and load_job(job_dir).settings.prompt == "clay"
    events = []
    assert api.stylise(job_dir, on_event=events.append).job_dir == str(job_dir)
    assert [event.frame for event in events if isinstance(event, FrameDone)] == [5, 6]
    shown = api.insert_strip(shot, job_dir)
    assert shown.id_data == find_edit_scene(shot)
    assert len(shown.elements) == 2


def test_what_a_script_gives_counts(shot, tmp_path):
    """Every choice can be given instead."""
    settings = Settings(prompt="gold", seed=4)
    job_dir = api.capture(shot, tmp_path / "mine", settings=settings, frame_start=4, frame_end=6, frame_step=2)
    assert load_job(job_dir).shot.frames == (4, 6) and load_job(job_dir).settings == settings


def test_an_incomplete_choice_is_refused(shot, tmp_path):
    """Nothing is rendered for a job that nobody has described."""
    shot.diffsynth.prompt = " "
    with pytest.raises(BadJobError, match="the prompt is empty"):
        api.capture(shot)
    assert not (tmp_path / "jobs").exists()


@pytest.mark.parametrize(("prompt", "error"), [("no memory", WorkerMemoryError), ("slow", JobCancelledError)])
def test_errors_have_their_class(shot, prompt, error):
    """A failure of the worker is raised here as what it is; a cancelled job as cancelled."""
    shot.diffsynth.prompt = prompt
    job_dir = api.capture(shot, frame_end=5)
    with pytest.raises(error):
        api.stylise(job_dir, is_cancelled=lambda: True)
    assert not output_path(job_dir, 5).exists()
