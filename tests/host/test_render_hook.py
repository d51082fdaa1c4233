"""Rendering an animation with the scene's option on ends with stylised frames; nothing else is followed by anything."""

import os

import bpy
import pytest

from diffsynth_blender.host import addon
from diffsynth_blender.host.command import command, render_hook
from diffsynth_blender.host.result import strip
from diffsynth_blender.protocol import load_job
from tests.host.shots import make_shot
from tests.host.stand_in_worker import use_stand_in_worker


@pytest.fixture
def shot(tmp_path, monkeypatch) -> bpy.types.Scene:
    """A shot that is to be stylised after its render; the add-on is registered meanwhile."""
    use_stand_in_worker(tmp_path, monkeypatch)
    addon.register()
    scene = make_shot(width=32, height=24)
    scene.diffsynth.prompt = "clay"
    scene.diffsynth.output_folder = str(tmp_path / "jobs")
    scene.diffsynth.result.stylise_after_render = True
    scene.render.filepath = str(tmp_path / "render" / "frame_")
    scene.render.image_settings.file_format = "PNG"
    yield scene
    addon.unregister()


def test_an_animation_is_stylised(shot, tmp_path, capfd):
    """Job folder, strip and saved file are those that `run` would leave."""
    shot.frame_start = 5
    bpy.ops.render.render(animation=True)
    job_dir = tmp_path / "jobs" / "Scene"
    assert load_job(job_dir).shot.frames == (5, 6), capfd.readouterr().err
    assert sorted(path.name for path in (job_dir / "output").iterdir()) == ["0005.png", "0006.png"]
    assert strip.find_edit_scene(bpy.context.scene) is not None
    assert (job_dir / "Scene.blend").is_file()
    assert "diffsynth: frame 6:" in capfd.readouterr().err


@pytest.mark.parametrize("reason", ["option off", "still", "variable", "command"])
def test_nothing_else_is_followed_by_anything(shot, tmp_path, monkeypatch, capfd, reason):
    """No option, a single frame of several, the variable of the environment, and renders of our own."""
    shot.diffsynth.result.stylise_after_render = reason != "option off"
    if reason == "variable":
        monkeypatch.setenv(render_hook.VARIABLE, "off")
    if reason == "command":
        shot.frame_end = shot.frame_start  # what it renders then looks like an animation
        assert command.run(["export-job", "--output", str(tmp_path / "job")]) == 0
        assert render_hook.VARIABLE not in os.environ
    elif reason == "still":
        bpy.ops.render.render(write_still=True)
        assert "one frame was rendered" in capfd.readouterr().err
    else:
        bpy.ops.render.render(animation=True)
    assert not (tmp_path / "jobs").exists()


def test_what_goes_wrong_is_told(shot, tmp_path, capfd):
    """One line says why nothing was stylised; the render itself is what it always is."""
    shot.diffsynth.prompt = "no memory"
    bpy.ops.render.render(animation=True)
    assert "diffsynth: error: the device has too little memory" in capfd.readouterr().err
    assert len(list((tmp_path / "render").iterdir())) == 3


def test_the_renders_own_passes_are_used(shot, tmp_path, capfd):
    """Where the scene's source are the files that the render writes, the shot is not rendered a second time."""
    assert bpy.ops.diffsynth.enable_passes() == {"FINISHED"}
    shot.diffsynth.source.kind = "PASSES"
    shot.diffsynth.source.passes_file = str(tmp_path / "render" / "frame_0004.exr")
    bpy.ops.render.render(animation=True)
    job_dir = tmp_path / "jobs" / "Scene"
    assert load_job(job_dir).shot.frames == (4, 5, 6), capfd.readouterr().err
    for frame in (4, 5, 6):
        ours = job_dir / "passes" / f"{frame:04d}.exr"
        assert ours.samefile(tmp_path / "render" / f"frame_{frame:04d}.exr")
