"""Every source, captured in a second Blender as the button does it: the same job as in this one."""

import time
from pathlib import Path

import bpy
import numpy as np
import pytest

from diffsynth_blender.host import addon, api
from diffsynth_blender.host.capture.checks import CaptureError
from diffsynth_blender.host.capture.reuse import find_captured
from diffsynth_blender.host.command import command
from diffsynth_blender.host.source.source import chosen_source
from diffsynth_blender.host.source.work import source_preparations
from diffsynth_blender.protocol import BadJobError, Settings, load_job
from tests.host import shots, sources

SETTINGS = Settings(prompt="clay", controls=(), seed=5)


@pytest.fixture
def scene(tmp_path: Path):
    """A shot whose passes, pictures and strip lie in a folder with spaces and letters of all kinds."""
    addon.register()
    shot = shots.make_shot(width=48, height=32)
    shot.name = "Größe 日本"
    folder = tmp_path / "Plätze für alles — 日本"
    first = sources.render_passes(shot, folder / "exr")
    pictures = sources.render_pictures(shot, folder / "png")
    shot.render.filepath = ""
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "schöner shot.blend"))
    sources.add_image_strip(shot, pictures, 3, start=4)
    chosen = shot.diffsynth.source
    chosen.passes_file = bpy.path.relpath(str(first))
    chosen.picture_file = bpy.path.relpath(str(pictures))
    chosen.strip = "Plate"
    yield shot
    addon.unregister()


def wait(scene: bpy.types.Scene, job_dir: Path, frames: range) -> list[tuple[int, int]]:
    """Do the preparations; returns the progress that was told."""
    told = []
    for prepare in source_preparations(scene, job_dir, frames, SETTINGS):
        preparation = prepare()
        while (status := preparation.tick()).state == "running":
            told.append((status.renders_done, status.render_count))
            time.sleep(0.02)
        assert status.state == "done"
    return told


@pytest.mark.parametrize("kind", ["RENDER", "PASSES", "FILES", "STRIP"])
def test_a_second_blender_makes_the_same_job(scene, tmp_path, kind) -> None:
    """Whatever the paths are called; and what was captured is found again until another source is chosen."""
    chosen = scene.diffsynth.source
    chosen.kind = "PASSES" if kind == "FILES" else kind
    chosen.pictures = "FILES" if kind == "FILES" else "COMBINED"
    frames = range(4, 7, 2)
    told = wait(scene, tmp_path / "job 日本", frames)
    counts = {"RENDER": 5, "PASSES": 3, "FILES": 3, "STRIP": 2}
    assert told[0] == (0, counts[kind])
    here = api.capture(scene, tmp_path / "here", settings=SETTINGS, frame_start=4, frame_end=6, frame_step=2)
    there, mine = load_job(tmp_path / "job 日本"), load_job(here)
    assert there.settings == SETTINGS
    assert {**vars(there.shot), "render_seconds": 0} == {**vars(mine.shot), "render_seconds": 0}
    files = sorted(path.relative_to(here) for path in here.rglob("*") if path.suffix in (".png", ".json", ".exr"))
    for name in files:
        if name.parts[0] == "source" and name.suffix == ".png":
            there, mine = (shots.read_png(folder / name) for folder in (tmp_path / "job 日本", here))
            assert np.array_equal(there, mine), name
    assert find_captured(scene, tmp_path / "job 日本", frames)
    chosen.kind = "STRIP" if kind == "RENDER" else "RENDER"
    assert not find_captured(scene, tmp_path / "job 日本", frames)


def test_what_is_refused_is_refused_before_anything_starts(scene, tmp_path) -> None:
    """The sentence comes from the preparations themselves; no folder, no second Blender."""
    chosen = scene.diffsynth.source
    for values, message in (
        ({"kind": "PASSES", "passes_file": ""}, "No file with passes is chosen"),
        ({"kind": "PASSES", "passes_file": "//nothing_0001.exr"}, "there is no such file"),
        ({"kind": "PASSES", "passes_file": "//nowhere/nothing_0001.exr"}, "cannot be read"),
        ({"kind": "PASSES", "passes_file": "//shot.exr"}, "no frame number in its name"),
        ({"kind": "STRIP", "strip": ""}, "No strip is chosen"),
        ({"kind": "STRIP", "strip": "Sound"}, "'Sound' is not there"),
    ):
        for name, value in values.items():
            setattr(chosen, name, value)
        with pytest.raises((CaptureError, BadJobError), match=message):
            source_preparations(scene, tmp_path / "job", range(4, 7), SETTINGS)
    assert not (tmp_path / "job").exists()


def test_what_only_a_look_at_every_file_shows_ends_the_capture(scene, tmp_path) -> None:
    """The button opens the first and the last file; the second Blender opens all, and tells in the same words."""
    chosen = scene.diffsynth.source
    chosen.kind = "PASSES"
    middle = Path(bpy.path.abspath(chosen.passes_file)).with_name("shot_v2_0005.exr")
    middle.write_bytes(b"no picture at all")
    with pytest.raises(CaptureError, match=r"shot_v2_0005\.exr is truncated or no EXR file"):
        wait(scene, tmp_path / "job", range(4, 7))
    assert not (tmp_path / "job").exists()
    with pytest.raises(RuntimeError, match=r"shot_v2_0005\.exr is truncated or no EXR file"):
        bpy.ops.diffsynth.check_source()


def test_buttons_of_the_panel(scene) -> None:
    """Passes are turned on once and undone as one step; the range is fitted; a check tells what is wrong."""
    chosen = scene.diffsynth
    layer = scene.view_layers.new("Plain")
    assert not layer.use_pass_position
    assert bpy.ops.diffsynth.enable_passes() == {"FINISHED"}
    assert layer.use_pass_position and layer.use_pass_vector and layer.use_pass_cryptomatte_object
    assert scene.render.image_settings.file_format == "OPEN_EXR_MULTILAYER"
    assert not bpy.ops.diffsynth.enable_passes.poll(), "nothing is left to do"
    assert not bpy.ops.diffsynth.fit_range.poll(), "a render has the scene's range"
    for kind in ("PASSES", "STRIP"):
        chosen.source.kind = kind
        chosen.use_own_range, chosen.frame_start, chosen.frame_end = True, 1, 99
        with pytest.raises(RuntimeError, match="1 to 99"):
            bpy.ops.diffsynth.check_source()
        assert bpy.ops.diffsynth.fit_range() == {"FINISHED"}
        assert (chosen.use_own_range, chosen.frame_start, chosen.frame_end) == (True, 4, 6)
        assert bpy.ops.diffsynth.check_source() == {"FINISHED"}


def test_the_choice_is_saved_with_the_file(scene) -> None:
    """Saved, loaded, the same; paths stay relative."""
    scene.diffsynth.source.kind = "PASSES"
    scene.diffsynth.source.passes_layer = "ViewLayer"
    before = chosen_source(scene)
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=bpy.data.filepath)
    again = bpy.context.scene
    assert chosen_source(again) == before
    assert again.diffsynth.source.passes_file.startswith("//")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--source", "render"], "exact.Depth.Z"),
        (["--passes", "{exr}"], "ViewLayer.Depth.Z"),
        (["--source", "passes"], "ViewLayer.Depth.Z"),
        (["--strip", "Plate"], None),
        (["--source", "strip"], None),
        ([], None),
    ],
)
def test_a_command_line_takes_the_scenes_source_or_its_own(scene, tmp_path, options, says) -> None:
    """What is given comes in place of what the file says; nothing given is what the file says."""
    scene.diffsynth.source.kind = "PASSES" if options == ["--source", "passes"] else "STRIP"
    exr = bpy.path.abspath(scene.diffsynth.source.passes_file)
    given = [option.format(exr=exr) for option in options]
    arguments = ["export-job", "--prompt", "clay", "--set", "controls=[]", "--output", str(tmp_path / "job"), *given]
    assert command.run(arguments) == 0
    channels = load_job(tmp_path / "job").shot.channels
    assert channels.get("depth", (None,))[0] == says


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--passes", "a_0001.exr", "--strip", "Plate"], "--passes and --strip do not go with"),
        (["--source", "render", "--strip", "Plate"], "--strip do not go with --source render"),
        (["--source", "passes"], "--source passes needs --passes"),
        (["--passes", "nowhere_0001.exr"], "there is no such file"),
        (["--strip", "Sound", "--set", "controls=[]"], "'Sound' is not there"),
        (["--strip", "Plate"], "the control Depth is read from passes"),
    ],
)
def test_sources_that_cannot_be_are_bad_arguments(scene, tmp_path, capfd, options, message) -> None:
    """Exit code 2 and one sentence; nothing is written."""
    assert command.run(["export-job", "--prompt", "clay", "--output", str(tmp_path / "job"), *options]) == 2
    error = capfd.readouterr().err
    assert message in error and "Traceback" not in error
    assert not (tmp_path / "job").exists()
