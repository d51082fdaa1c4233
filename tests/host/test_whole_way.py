"""The whole way, as the button goes it, where artists' files are unlike those of tests: paths, ranges, scenes, undo.

With the real worker and the demo model where the result matters, with a stand-in that copies frames where the way does.
"""

import os
import shutil
from pathlib import Path

import bpy
import numpy as np
import pytest

from diffsynth_blender.host import addon
from diffsynth_blender.host.jobs.choice import chosen_job
from diffsynth_blender.host.jobs.remedies import remedies_of
from diffsynth_blender.host.jobs.stylisation import begin
from diffsynth_blender.host.result import strip
from diffsynth_blender.host.shot import properties
from diffsynth_blender.protocol import BadJobError, load_job, output_path
from tests.host import shots, sources
from tests.host.stand_in_worker import use_stand_in_worker
from tests.host.test_strip import read_png, render_still

FOLDER = "Kürzfilm 2 — 日本/Größe s01"


@pytest.fixture
def registered():
    addon.register()
    yield
    addon.unregister()


@pytest.fixture
def scene(registered, tmp_path):
    """A saved shot below folders with spaces and letters of all kinds, whose output is beside it."""
    if not os.environ.get("DIFFSYNTH_WORKER_PYTHON"):
        pytest.fail("DIFFSYNTH_WORKER_PYTHON must name the worker's interpreter; `make test` sets it")
    made = shots.make_shot(width=48, height=32)
    made.name = "Straße 7"
    made.render.dither_intensity = 0.0
    sources.use_png(made)
    choose(made, "clay")
    made.diffsynth.output_folder = "//Ausgabe für 日本/"
    folder = tmp_path / FOLDER
    folder.mkdir(parents=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "schöner shot.blend"))
    return bpy.context.scene


@pytest.fixture
def copies(tmp_path, monkeypatch):
    """A worker whose results are the source frames."""
    use_stand_in_worker(tmp_path, monkeypatch)


def choose(scene: bpy.types.Scene, prompt: str) -> None:
    """The demo model, as quick as it gets."""
    chosen = scene.diffsynth
    chosen.prompt, chosen.steps, chosen.strength = prompt, 2, 0.75


def stylise(scene: bpy.types.Scene) -> str:
    """Press the button and wait; returns the sentence that it ends with."""
    work = begin(scene, chosen_job(scene), reuse_capture=scene.diffsynth.reuse_capture)
    work.run_blocking()
    assert work.state == "done", work.message
    return work.message


def shown(scene: bpy.types.Scene, frame: int, path: Path) -> np.ndarray:
    """What a scene's sequencer renders."""
    return render_still(scene, frame, path)


def assert_shows_results(shot_scene: bpy.types.Scene, job_dir: Path, frame: int, path: Path) -> None:
    """The edit scene of a shot renders the very pixels of its result."""
    result = read_png(output_path(job_dir, frame))
    assert np.array_equal(shown(strip.find_edit_scene(shot_scene), frame, path), result)


def test_odd_paths_every_second_frame_saved_and_opened_elsewhere(scene, tmp_path):
    """Spaces, letters, a relative output, step 2; then the folder is moved, opened, and shows the same pixels."""
    scene.frame_step = 2
    stylise(scene)
    folder = Path(bpy.data.filepath).parent
    job_dir = folder / "Ausgabe für 日本" / "Straße 7"
    shot = load_job(job_dir).shot
    assert (shot.frames, shot.pass_frames) == ((4, 6), (4, 5, 6))
    changed = read_png(output_path(job_dir, 4)).astype(int) - read_png(shot.source_path(job_dir, 4))
    assert np.abs(changed).mean() > 2, "the model changed nothing"
    assert_shows_results(scene, job_dir, 6, tmp_path / "6.png")
    held = shown(strip.find_edit_scene(scene), 5, tmp_path / "5.png")
    assert np.array_equal(held, read_png(output_path(job_dir, 4))), "a result is held until the next one"
    bpy.ops.wm.save_mainfile()
    moved = tmp_path / "anderswo und später"
    shutil.move(folder, moved)
    bpy.ops.wm.open_mainfile(filepath=str(moved / "schöner shot.blend"))
    again = bpy.data.scenes["Straße 7"]
    assert again.diffsynth.prompt == "clay" and properties.frame_range(again) == (4, 6, 2)
    assert properties.job_folder(again) == moved / "Ausgabe für 日本" / "Straße 7"
    assert_shows_results(again, properties.job_folder(again), 4, tmp_path / "moved.png")
    times = {path: path.stat().st_mtime_ns for path in properties.job_folder(again).rglob("*.exr")}
    again.diffsynth.reuse_capture = True
    stylise(again)
    assert times == {path: path.stat().st_mtime_ns for path in properties.job_folder(again).rglob("*.exr")}
    assert len(strip.strips_of(strip.find_edit_scene(again))) == 1, "the strip is renewed, not doubled"


def test_two_scenes_that_share_everything_have_settings_and_jobs_of_their_own(scene, copies, tmp_path):
    """A linked copy: the same objects, another prompt, range and seed; neither job disturbs the other's."""
    bpy.ops.scene.new(type="LINK_COPY")
    other = bpy.context.window.scene
    other.name = "Straße 8"
    assert other.collection.all_objects[0] == scene.collection.all_objects[0]
    choose(other, "gold")
    other.diffsynth.seed, other.frame_start = 7, 5
    before = bpy.context.window.scene
    for each in (scene, other, scene):
        stylise(each)
        assert bpy.context.window.scene == before and each.frame_current == 1
    jobs = [load_job(properties.job_folder(each)) for each in (scene, other)]
    assert [job.settings.prompt for job in jobs] == ["clay", "gold"]
    assert [job.settings.seed for job in jobs] == [0, 7]
    assert [job.shot.frames for job in jobs] == [(4, 5, 6), (5, 6)]
    for each, frame in ((scene, 4), (other, 5)):
        assert_shows_results(each, properties.job_folder(each), frame, tmp_path / f"{each.name}.png")
    assert strip.find_edit_scene(scene) != strip.find_edit_scene(other)


def test_a_scene_of_a_library_is_stylised(scene, copies, tmp_path):
    """Its settings come with it; the result is in the file that links it, and the library stays as it is."""
    scene.diffsynth.output_folder = str(tmp_path / "out")
    bpy.ops.wm.save_mainfile()
    library = Path(bpy.data.filepath)
    content = library.read_bytes()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(str(library), link=True) as (found, wanted):
        wanted.scenes = list(found.scenes)
    linked = next(each for each in bpy.data.scenes if each.library)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "edit.blend"))
    linked = next(each for each in bpy.data.scenes if each.library)
    stylise(linked)
    assert_shows_results(linked, tmp_path / "out" / "Straße 7", 5, tmp_path / "shown.png")
    assert library.read_bytes() == content


def test_undo_takes_the_strip_away_and_redo_brings_it_back(scene, copies, tmp_path):
    """One step; afterwards the shot can be stylised again."""
    bpy.ops.ed.undo_push(message="Before")
    before = [each.name for each in bpy.data.scenes]
    stylise(scene)
    bpy.ops.ed.undo_push(message="Insert Stylised Frames")
    bpy.ops.ed.undo()
    assert [each.name for each in bpy.data.scenes] == before
    bpy.ops.ed.redo()
    scene = bpy.data.scenes["Straße 7"]
    assert_shows_results(scene, properties.job_folder(scene), 5, tmp_path / "redone.png")
    bpy.ops.ed.undo()
    scene = bpy.data.scenes["Straße 7"]
    stylise(scene)
    assert_shows_results(scene, properties.job_folder(scene), 5, tmp_path / "again.png")
    assert len(bpy.data.scenes) == 2


def test_passes_on_disk_go_the_whole_way(scene, tmp_path):
    """Files of a render with many samples: the real worker follows them, and says what is less exact."""
    scene.cycles.samples = 16
    first = sources.render_passes(scene, Path(bpy.data.filepath).parent / "Renders 1")
    sources.use_png(scene)
    chosen = scene.diffsynth
    chosen.source.kind, chosen.source.passes_file = "PASSES", bpy.path.relpath(str(first))
    work = begin(scene, chosen_job(scene))
    work.run_blocking()
    assert work.state == "done", work.message
    assert any("16 samples a pixel" in note for note in work.notes)
    assert_shows_results(scene, properties.job_folder(scene), 5, tmp_path / "shown.png")


def test_passes_with_motion_blur_are_refused_by_name(scene):
    """Blender writes a motion of zeros then; the sentence names the frame and what to turn off."""
    scene.render.use_motion_blur = True
    first = sources.render_passes(scene, Path(bpy.data.filepath).parent / "blurred")
    sources.use_png(scene)
    chosen = scene.diffsynth
    chosen.source.kind, chosen.source.passes_file = "PASSES", str(first)
    work = begin(scene, chosen_job(scene))
    work.run_blocking()
    assert work.state == "failed"
    assert "the motion pass is zero" in work.message and "Motion Blur" in work.message
    assert strip.find_edit_scene(scene) is None


def test_a_strip_goes_the_whole_way(scene, tmp_path):
    """Footage without passes: the real worker restyles it, and the result lies above the strip, of the same frames."""
    pictures = sources.render_pictures(scene, tmp_path / "Platte 1")
    scene.render.filepath = ""
    sources.add_image_strip(scene, pictures, 3, start=4)
    chosen = scene.diffsynth
    chosen.source.kind, chosen.source.strip = "STRIP", "Plate"
    with pytest.raises(BadJobError, match="the control Depth is read from passes") as refusal:
        stylise(scene)
    (remedy,) = (each for each in remedies_of("bad_job", str(refusal.value)) if "Needs Passes" in each.text)
    assert bpy.ops.diffsynth.mend(**remedy.arguments) == {"FINISHED"}
    message = stylise(scene)
    assert "3 frames" in message
    result = next(each for each in strip.strips_of(scene) if each.name != "Plate")
    assert result.channel > 1 and result.frame_final_start == 4 and result.frame_final_duration == 3
    job_dir = properties.job_folder(scene)
    assert load_job(job_dir).shot.passes is None
    changed = read_png(output_path(job_dir, 4)).astype(int) - read_png(pictures)
    assert np.abs(changed).mean() > 2, "the model changed nothing"


def test_scenes_named_in_any_alphabet_have_folders_of_their_own(scene):
    """Names of one length that differ in such letters only; and nothing that a folder cannot be called."""
    folders = set()
    for name in ("東京", "大阪", "a/b", 'q: "x"?', "Straße 7", "Straèe 7", "dots..."):
        scene.name = name
        folder = properties.job_folder(scene)
        folder.mkdir(parents=True)
        assert folder.parent == Path(bpy.path.abspath("//Ausgabe für 日本"))
        folders.add(folder)
    assert len(folders) == 7
