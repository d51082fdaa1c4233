"""A few frames before an hour is spent: with the real worker and the demo model, and what is shown of them."""

import os
import time

import bpy
import numpy as np
import pytest

from diffsynth_blender.host import addon
from diffsynth_blender.host.jobs import icon as job_icon
from diffsynth_blender.host.jobs import pump
from diffsynth_blender.host.jobs.memory import FreedMemory
from diffsynth_blender.host.jobs.preview import Preview
from diffsynth_blender.host.jobs.preview_pictures import show_pictures
from diffsynth_blender.host.shot.properties import job_folder
from diffsynth_blender.protocol import load_job, output_path
from diffsynth_blender.protocol.traces import latest_path
from tests.host.running import SETTINGS, capture_shot, run_to_end, run_until, take_shot, workers_of
from tests.host.shots import make_shot, read_png


@pytest.fixture(autouse=True)
def worker_python():
    if not os.environ.get("DIFFSYNTH_WORKER_PYTHON"):
        pytest.fail("DIFFSYNTH_WORKER_PYTHON must name the worker's interpreter; `make test` sets it")


@pytest.fixture(scope="module")
def captured(tmp_path_factory):
    return capture_shot(tmp_path_factory.mktemp("captured") / "job")


@pytest.fixture
def scene(tmp_path):
    addon.register()
    scene = make_shot(width=64, height=40)
    scene.diffsynth.prompt, scene.diffsynth.output_folder = "clay", str(tmp_path / "Öl und Essig")
    scene.diffsynth.steps = 4
    scene.frame_set(4)
    yield scene
    addon.unregister()


def images() -> dict[str, bpy.types.Image]:
    return {image.name: image for image in bpy.data.images if image.name.startswith("Preview ")}


def test_one_frame_is_rendered_and_shown(scene, tmp_path):
    """Rendered in a folder of its own, stylised, and there as images: result, source, controls, motion; no strip."""
    before = time.monotonic()
    assert bpy.ops.diffsynth.preview(frames="ONE") == {"FINISHED"}
    print(f"preview of one frame after {time.monotonic() - before:.1f} s")
    folder = tmp_path / "Öl und Essig" / "Scene Preview"
    assert load_job(folder).shot.frames == (4,)
    shown = images()
    assert {"Preview Result", "Preview Source", "Preview Control Depth", "Preview Motion"} <= set(shown)
    assert "Preview Visibility" not in shown  # one frame has nothing to be seen in
    assert all(image.size[:] == (64, 40) for image in shown.values())
    assert bpy.path.abspath(shown["Preview Result"].filepath) == str(output_path(folder, 4))
    pixels = np.array(shown["Preview Result"].pixels[:]).reshape(40, 64, 4)
    assert np.array_equal(np.rint(pixels * 255).astype(np.uint8)[..., :3], read_png(output_path(folder, 4))[..., :3])
    assert not (tmp_path / "Öl und Essig" / "Scene").exists() and len(bpy.data.scenes) == 1
    assert list(scene.diffsynth.jobs.list) == [] and workers_of(folder) == []


def test_frames_that_are_rendered_are_taken(scene, captured, tmp_path):
    """With Reuse Rendered Frames nothing is rendered, and the shot's own job stays as it was."""
    shot_dir = take_shot(captured, job_folder(scene))
    before = sorted(path.name for path in shot_dir.rglob("*"))
    scene.diffsynth.reuse_capture = True
    scene.frame_set(5)
    preview = Preview(scene, 1)
    assert preview._preparations.are_done
    pump.start(preview)
    run_to_end(preview)
    assert preview.state == "done", preview.message
    assert load_job(preview.job_dir).shot.frames == (5,)
    assert sorted(path.name for path in shot_dir.rglob("*")) == before
    assert job_icon.icon_of(None) == 0
    job_icon.icon_of(preview.latest_picture)  # 0 as well: in the background there are no icons, but the picture is read
    assert [picture.image_size[:] for picture in job_icon._Icons.collection.values()] == [(64, 40)]


def test_four_frames_are_a_sequence_that_follows_the_scene(scene, tmp_path):
    """The image editor shows the picture of the scene's frame; motion and what is hidden are there for each."""
    scene.frame_end = 10
    preview = Preview(scene, 4)
    pump.start(preview)
    run_until(preview, lambda: preview.latest_picture is not None)
    run_to_end(preview)
    assert preview.state == "done", preview.message
    assert load_job(preview.job_dir).shot.frames == (4, 5, 6, 7)
    shown = images()
    assert "Preview Visibility" in shown
    assert {image.source for image in shown.values()} == {"SEQUENCE"}
    area = bpy.context.window_manager.windows[0].screen.areas[0]
    area.type = "IMAGE_EDITOR"
    show_pictures(list(shown.values()), load_job(preview.job_dir).shot.frames)
    user = area.spaces.active.image_user
    assert area.spaces.active.image in shown.values()
    assert (user.frame_start, user.frame_duration, user.frame_offset) == (4, 4, 3)
    assert user.use_auto_refresh and latest_path(preview.job_dir).is_file()


def test_the_next_preview_takes_the_place_of_the_last(scene, captured):
    """Images are renewed, not added; what it does not show any more goes."""
    take_shot(captured, job_folder(scene), SETTINGS)
    scene.diffsynth.reuse_capture = True
    names = []
    for frame in (4, 5):
        scene.frame_set(frame)
        if frame == 5:
            scene.diffsynth.controls.depth.use = False
        preview = Preview(scene, 1)
        preview.run_blocking()
        assert preview.state == "done", preview.message
        names.append(set(images()))
    assert names[1] < names[0] and {name for name in names[0] - names[1]} >= {"Preview Control Depth"}
    assert images()["Preview Result"].filepath.endswith("0005.png")


def test_the_card_is_given_to_the_worker_and_back(scene):
    """Rendered viewports are solid meanwhile; what the artist changes stays; other shadings are left alone."""
    spaces = [
        space
        for screen in bpy.data.screens
        for area in screen.areas
        for space in area.spaces
        if space.type == "VIEW_3D"
    ]
    rendered, other = spaces[0], spaces[1] if len(spaces) > 1 else None
    rendered.shading.type = "RENDERED"
    if other:
        other.shading.type = "MATERIAL"
    scene.render.use_persistent_data = True
    freed = FreedMemory()
    assert rendered.shading.type == "SOLID" and scene.render.use_persistent_data
    assert other is None or other.shading.type == "MATERIAL"
    freed.give_back()
    assert rendered.shading.type == "RENDERED"
    freed = FreedMemory()
    rendered.shading.type = "WIREFRAME"
    freed.give_back()
    assert rendered.shading.type == "WIREFRAME"
