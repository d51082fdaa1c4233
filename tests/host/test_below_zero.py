"""Frames below 0, over the whole way: Blender renders no animation there, and its image sequences cannot count there.

With the real worker and the demo model.
"""

import json
import os
from pathlib import Path

import bpy
import numpy as np
import pytest

from diffsynth_blender.host import addon, compat
from diffsynth_blender.host.command import command
from diffsynth_blender.host.deflicker.deflickering import Deflickering
from diffsynth_blender.host.jobs.choice import chosen_job
from diffsynth_blender.host.jobs.preview import Preview
from diffsynth_blender.host.jobs.preview_pictures import load_pictures, show_pictures
from diffsynth_blender.host.jobs.stylisation import begin
from diffsynth_blender.host.result import strip
from diffsynth_blender.host.result.place import place_result
from diffsynth_blender.host.shot import properties
from diffsynth_blender.protocol import load_job, output_path
from tests.host import shots, sources
from tests.host.test_compositor import compose
from tests.host.test_strip import read_png, render_still


@pytest.fixture
def scene(tmp_path):
    """A saved shot that moves below frame 0 as well, whose output is beside it."""
    if not os.environ.get("DIFFSYNTH_WORKER_PYTHON"):
        pytest.fail("DIFFSYNTH_WORKER_PYTHON must name the worker's interpreter; `make test` sets it")
    addon.register()
    scene = shots.make_shot(width=48, height=32)
    for thing in scene.objects:
        for curve in compat.animation_curves(thing) or ():
            curve.extrapolation = "LINEAR"
    scene.render.dither_intensity = 0.0
    sources.use_png(scene)
    chosen = scene.diffsynth
    chosen.prompt, chosen.steps, chosen.strength = "clay", 2, 0.75
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    yield bpy.context.scene
    addon.unregister()


def stylise(scene: bpy.types.Scene) -> str:
    """Press the button and wait; returns the sentence that it ends with."""
    work = begin(scene, chosen_job(scene))
    work.run_blocking()
    assert work.state == "done", work.message
    return work.message


def assert_shows_results(edit_scene: bpy.types.Scene, job_dir: Path, frame: int, path: Path) -> None:
    """A scene renders the very pixels of a result."""
    assert np.array_equal(render_still(edit_scene, frame, path), read_png(output_path(job_dir, frame))), frame


def render_stills(scene: bpy.types.Scene, folder: Path, frames: range) -> Path:
    """Render frames one by one, under the names that Blender gives them; returns the last file."""
    for frame in frames:
        scene.frame_set(frame)
        scene.render.filepath = f"{folder}/shot_v2_####"
        scene.render.filepath = path = scene.render.frame_path(frame=frame)
        bpy.ops.render.render(write_still=True)
    scene.render.filepath = ""
    return Path(path)


def assert_styled(job_dir: Path, frame: int) -> None:
    """The model has changed a frame, and not lost it."""
    source = read_png(load_job(job_dir).shot.source_path(job_dir, frame)).astype(int)
    assert np.abs(read_png(output_path(job_dir, frame)) - source).mean() > 2, "the model changed nothing"


def test_frames_below_zero_go_the_whole_way(scene, tmp_path):
    """From the panel's range: rendered, stylised, in the strip, in the compositor, redone; each under its number."""
    chosen = scene.diffsynth
    chosen.use_own_range, chosen.frame_start, chosen.frame_end = True, -2, 1
    compose(scene)
    chosen.result.use_compositor = True
    message = stylise(scene)
    assert "4 frames" in message and "Blender renders animations from frame 0 on" in message
    job_dir = properties.job_folder(scene)
    assert load_job(job_dir).shot.frames == (-2, -1, 0, 1)
    assert [path.name for path in sorted((job_dir / "output").iterdir())] == [
        "-001.png",
        "-002.png",
        "0000.png",
        "0001.png",
    ]
    rendered = [read_png(load_job(job_dir).shot.source_path(job_dir, frame)) for frame in (-2, 1)]
    assert not np.array_equal(*rendered), "the shot stands still"
    edit_scene = strip.find_edit_scene(scene)
    assert (edit_scene.frame_preview_start, edit_scene.frame_preview_end) == (-2, 1)
    scene.diffsynth.result.placement = "NONE"
    strip.show_exactly(scene)
    for frame in (-2, -1, 0, 1):
        assert_styled(job_dir, frame)
        assert_shows_results(strip.find_edit_scene(scene), job_dir, frame, tmp_path / "strip.png")
        assert_shows_results(scene, job_dir, frame, tmp_path / "composed.png")
    before = [output_path(job_dir, frame).read_bytes() for frame in (-2, -1, 0, 1)]
    assert command.run(["redo", str(job_dir), "--frames", "-2--1", "--set", "prompt=gold"]) == 0
    after = [output_path(job_dir, frame).read_bytes() for frame in (-2, -1, 0, 1)]
    assert [old == new for old, new in zip(before, after, strict=True)] == [False, False, True, True]
    place_result(scene, job_dir)
    assert_shows_results(scene, job_dir, -2, tmp_path / "composed.png")


def test_frames_below_zero_from_a_command_line(scene, tmp_path, capfd):
    """Every second one: rendered again only where it changed, resumed in part, counted, told, made a movie."""
    bpy.ops.wm.save_mainfile()
    job_dir = tmp_path / "job"
    line = ["run", "--output", str(job_dir), "--frames", "-5--1", "--step", "2", "--movie", "--no-save"]
    assert command.run(line) == 0
    shot = load_job(job_dir).shot
    assert (shot.frames, shot.pass_frames) == ((-5, -3, -1), (-5, -4, -3, -2, -1))
    assert (job_dir / "result.mp4").is_file()
    assert_shows_results(strip.find_edit_scene(scene), job_dir, -3, tmp_path / "strip.png")
    capfd.readouterr()
    output_path(job_dir, -3).unlink()
    assert command.run(["resume", str(job_dir), "--frames=-3"]) == 0
    assert output_path(job_dir, -3).is_file()
    assert command.run(line) == 0
    told = capfd.readouterr().err
    assert "frame -3: " in told and "nothing is rendered again" in told
    assert command.run(["status", str(job_dir)]) == 0
    assert "frames -5--1" in capfd.readouterr().out
    report = json.loads((job_dir / "report.json").read_text())
    assert report["frames"] == 3


def test_a_preview_below_zero_shows_its_frames(scene):
    """Four of them, every second one, as sequences that an image editor can show, each at its frame."""
    scene.frame_step = 2
    scene.frame_set(-5)
    preview = Preview(scene, 4)
    preview.run_blocking()
    assert preview.state == "done", preview.message
    frames = load_job(preview.job_dir).shot.frames
    assert frames == (-5, -3, -1, 1)
    images = load_pictures(preview.job_dir)
    area = bpy.context.window_manager.windows[0].screen.areas[0]
    area.type = "IMAGE_EDITOR"
    show_pictures(images, frames)
    user = area.spaces.active.image_user
    assert (user.frame_start, user.frame_duration, user.frame_offset) == (-5, 7, -1)
    for image, path_of in ((images[0], output_path), (images[1], load_job(preview.job_dir).shot.source_path)):
        first = Path(bpy.path.abspath(image.filepath))
        for frame in range(-5, 2):
            held = max(stylised for stylised in frames if stylised <= frame)
            counted = first.with_name(f"{frame + 5:04d}.png")
            assert counted.read_bytes() == path_of(preview.job_dir, held).read_bytes()


def test_passes_below_zero_are_found(scene, tmp_path):
    """Files as Blender names them, with a picture each; the range is fitted to them, minus and all."""
    folder = Path(bpy.data.filepath).parent / "renders"
    sources.turn_on(scene.view_layers[0])
    sources.use_exr(scene)
    last = render_stills(scene, folder, range(-2, 1))
    sources.use_png(scene)
    assert sorted(path.name for path in folder.iterdir())[:2] == ["shot_v2_-0001.exr", "shot_v2_-0002.exr"]
    chosen = scene.diffsynth
    chosen.source.kind, chosen.source.passes_file = "PASSES", str(last)
    assert bpy.ops.diffsynth.fit_range() == {"FINISHED"}
    assert properties.frame_range(scene)[:2] == (-2, 0)
    stylise(scene)
    job_dir = properties.job_folder(scene)
    assert load_job(job_dir).shot.frames == (-2, -1, 0)
    assert_shows_results(strip.find_edit_scene(scene), job_dir, -1, tmp_path / "shown.png")


def test_a_strip_below_zero_is_stylised_and_deflickered(scene, tmp_path):
    """Footage that begins before frame 0: its pictures under their frames' numbers, result and steady frames above."""
    pictures = sources.render_pictures(scene, tmp_path / "plate")
    scene.render.filepath = ""
    plate = sources.add_image_strip(scene, pictures, 3, start=-3)
    chosen = scene.diffsynth
    chosen.source.kind, chosen.source.strip = "STRIP", "Plate"
    assert bpy.ops.diffsynth.fit_range() == {"FINISHED"}
    chosen.controls.depth.use = chosen.controls.normal.use = False
    stylise(scene)
    job_dir = properties.job_folder(scene)
    assert load_job(job_dir).shot.frames == (-3, -2, -1)
    assert load_job(job_dir).shot.source_path(job_dir, -3).read_bytes() == pictures.read_bytes()
    result = next(each for each in strip.strips_of(scene) if each.name != "Plate")
    assert (result.frame_final_start, result.frame_final_end) == (-3, 0)
    scene.diffsynth_deflicker.output_folder = str(tmp_path / "steady")
    work = Deflickering(scene, plate)
    work.run_blocking()
    assert work.state == "done", work.message
    assert sorted(path.name for path in work.output_dir.glob("*.png")) == ["-001.png", "-002.png", "-003.png"]
    steady = strip.strips_of(scene)["Plate Steady"]
    assert (steady.frame_final_start, steady.frame_final_end) == (-3, 0)
    rendered = tmp_path / "alone"
    assert command.run(["export-strip", "--strip", "Plate", "--frames", "-3--2", "--output", str(rendered)]) == 0
    for frame in (-3, -2):
        shown = read_png(rendered / f"{frame:04d}.png")
        assert np.array_equal(shown, read_png(load_job(job_dir).shot.source_path(job_dir, frame)))
