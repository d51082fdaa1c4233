"""What a capture writes: the artist's picture bit for bit, passes untouched by blur, the frames that were asked for."""

import json
from pathlib import Path

import bpy
import numpy as np
import pytest

from diffsynth_blender.host.capture.capture import Capture
from diffsynth_blender.host.capture.checks import CaptureError
from diffsynth_blender.host.compat import compositor_tree, new_compositor
from diffsynth_blender.protocol import Settings, load_job
from tests.host import shots


def capture(scene: bpy.types.Scene, job_dir: Path, **options: object) -> None:
    """Run a capture to its end."""
    one = Capture(scene, job_dir, settings=shots.SETTINGS, **options)
    for _ in one.run_blocking():
        pass
    assert one.status.state == "done"
    assert one.status.renders_done == one.status.render_count


def plain_render(scene: bpy.types.Scene, path: Path) -> np.ndarray:
    """What Blender writes when the artist sets PNG and presses F12. Changes the scene's output settings."""
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "IMAGE"
    settings.file_format, settings.color_mode, settings.color_depth = "PNG", "RGB", "8"
    if scene.render.film_transparent:
        settings.color_mode = "RGBA"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True, scene=scene.name)
    return shots.read_png(path)


def invert_in_compositor(scene: bpy.types.Scene, folder: Path | None = None) -> None:
    """Put an Invert node into the artist's compositor, and a File Output node where `folder` is given."""
    new_compositor(scene)
    tree = compositor_tree(scene)
    (output,) = tree.nodes
    source, invert = tree.nodes.new("CompositorNodeRLayers"), tree.nodes.new("CompositorNodeInvert")
    source.scene = scene
    tree.links.new(source.outputs["Image"], invert.inputs["Color"])
    tree.links.new(invert.outputs[0], output.inputs[0])
    if folder:
        file = tree.nodes.new("CompositorNodeOutputFile")
        if hasattr(file, "directory"):  # from 5.0 on
            file.directory = str(folder)
            file.file_output_items.new("RGBA", "inverted")
        else:
            file.base_path = str(folder)
        tree.links.new(invert.outputs[0], file.inputs[0])


def test_a_captured_shot_is_a_valid_job(tmp_path: Path) -> None:
    """job.json loads, and every file it speaks of is there, and nothing else."""
    scene = shots.make_shot(width=48, height=32)
    scene.render.fps, scene.render.fps_base = 24, 1.001
    settings = Settings(prompt="gold", seed=7)
    for _ in Capture(scene, tmp_path, settings=settings).run_blocking():
        pass
    job = load_job(tmp_path)
    assert job.settings == settings
    assert (job.shot.name, job.shot.engine, job.shot.width, job.shot.height) == ("Scene", "CYCLES", 48, 32)
    assert job.shot.blender == ".".join(map(str, bpy.app.version))
    assert job.shot.fps == (24000, 1001)
    assert job.shot.frames == job.shot.pass_frames == (4, 5, 6)
    assert [camera.frame for camera in job.shot.cameras] == [4, 5, 6]
    assert job.shot.render_seconds > 0
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {"job.json", "journal.jsonl"} | {
        f"{folder}/000{f}.{end}"
        for f in (4, 5, 6)
        for folder, end in (("source", "png"), ("passes", "exr"), ("passes", "objects.json"))
    }
    passes = shots.read_passes(tmp_path, 5)
    assert passes.depth.shape == (32, 48)
    assert set(passes.names) >= {"Cube", "Ground"}


def test_the_file_is_one_part_of_32_bits_and_little_else(tmp_path: Path) -> None:
    """One part, 32-bit floats, the exact layer alone; the picture that Blender adds is black."""
    import OpenEXR

    scene = shots.make_shot(width=48, height=32)
    capture(scene, tmp_path, frame_start=5, frame_end=5)
    with OpenEXR.File(str(tmp_path / "passes/0005.exr"), separate_channels=True) as file:
        (part,) = file.parts
        assert {name.split(".")[1] for name in part.channels} == {
            "Combined", "Depth", "Normal", "Vector", "Position", "CryptoObject00",
        }  # fmt: skip
        assert all(channel.pixels.dtype == np.float32 for channel in part.channels.values())
        assert not any(part.channels[f"exact.Combined.{name}"].pixels.any() for name in "RGB")


@pytest.mark.parametrize("look", ["plain", "graded", "transparent", "compositor", "layers", "denoised", "16 bit"])
def test_the_picture_is_what_blender_renders(tmp_path: Path, look: str) -> None:
    """source/*.png equals, bit for bit, what a plain render of the untouched scene writes as PNG."""
    scene = shots.make_shot(width=48, height=32)
    if look == "graded":
        scene.view_settings.view_transform = "Filmic" if bpy.app.version < (5, 0, 0) else "AgX"
        scene.view_settings.exposure, scene.view_settings.gamma = 0.7, 1.2
        scene.view_settings.use_curve_mapping = True
        scene.view_settings.curve_mapping.curves[3].points.new(0.4, 0.6)
        scene.view_settings.curve_mapping.update()
    elif look == "transparent":
        scene.render.film_transparent = True
    elif look == "compositor":
        invert_in_compositor(scene)
    elif look == "layers":
        half = bpy.data.collections.new("Half")
        scene.collection.children.link(half)
        half.objects.link(bpy.data.objects["Cube"])
        scene.collection.objects.unlink(bpy.data.objects["Cube"])
        scene.view_layers.new("Second")
        scene.view_layers[0].layer_collection.children["Half"].exclude = True
    elif look == "denoised":
        scene.cycles.use_denoising = True
    elif look == "16 bit":
        settings = scene.render.image_settings
        settings.file_format, settings.color_depth, settings.color_mode = "PNG", "16", "BW"
    capture(scene, tmp_path / "job", frame_start=5, frame_end=5)
    scene.frame_set(5)
    plain = plain_render(scene, tmp_path / "plain.png")
    assert plain.std() > 5
    np.testing.assert_array_equal(shots.read_png(tmp_path / "job/source/0005.png"), plain)


def test_motion_blur_stays_in_the_picture_and_out_of_the_passes(tmp_path: Path) -> None:
    """With blur on the picture is blurred, and every pass is the one of the scene without blur."""
    scene = shots.make_shot()
    scene.cycles.samples = 16
    capture(scene, tmp_path / "sharp", frame_start=5, frame_end=5)
    scene.render.use_motion_blur = True
    scene.render.motion_blur_shutter = 1.0
    capture(scene, tmp_path / "blurred", frame_start=5, frame_end=5)
    assert_same_passes(tmp_path / "sharp", tmp_path / "blurred")
    sharp, blurred = (shots.read_png(tmp_path / name / "source/0005.png") for name in ("sharp", "blurred"))
    assert np.abs(sharp.astype(int) - blurred).max() > 30


@pytest.mark.parametrize(
    "setting", ["depth of field", "samples", "persistent data", "denoiser", "simplify subdivision"]
)
def test_the_picture_s_settings_leave_the_passes_alone(tmp_path: Path, setting: str) -> None:
    """What blurs or speeds up the artist's picture changes no bit of the passes."""
    scene = shots.make_shot()
    capture(scene, tmp_path / "before", frame_start=5, frame_end=5)
    if setting == "depth of field":
        scene.camera.data.dof.use_dof = True
        scene.camera.data.dof.aperture_fstop, scene.camera.data.dof.focus_distance = 0.05, 2.0
    elif setting == "samples":
        scene.cycles.samples, scene.cycles.use_adaptive_sampling = 9, True
        scene.cycles.use_layer_samples, scene.view_layers[0].samples = "IGNORE", 3
        scene.cycles.pixel_filter_type, scene.cycles.filter_width = "GAUSSIAN", 4.0
    elif setting == "persistent data":
        scene.render.use_persistent_data = True
    elif setting == "denoiser":
        scene.cycles.use_denoising = True
    elif setting == "simplify subdivision":
        scene.render.use_simplify = True
    capture(scene, tmp_path / "after", frame_start=5, frame_end=6)
    assert_same_passes(tmp_path / "before", tmp_path / "after")


def assert_same_passes(job: Path, other: Path) -> None:
    """Compare frame 5 of two jobs bit for bit."""
    one, two = shots.read_passes(job, 5), shots.read_passes(other, 5)
    for kind in ("depth", "normal", "vector", "position", "object"):
        np.testing.assert_array_equal(getattr(one, kind), getattr(two, kind), err_msg=kind)


def test_the_step_thins_the_pictures_and_not_the_passes(tmp_path: Path) -> None:
    """Step 3 over 2 to 9: pictures at 2, 5, 8; passes at every frame from 2 to 8."""
    scene = shots.make_shot(width=32, height=32)
    scene.frame_start, scene.frame_end, scene.frame_step = 2, 9, 3
    capture(scene, tmp_path)
    shot = load_job(tmp_path).shot
    assert shot.frames == (2, 5, 8)
    assert shot.pass_frames == tuple(range(2, 9))
    assert sorted(path.stem for path in (tmp_path / "source").iterdir()) == ["0002", "0005", "0008"]
    for end in (".exr", ".objects.json"):
        names = sorted(path.name for path in (tmp_path / "passes").glob(f"*{end}"))
        assert names == [f"000{frame}{end}" for frame in range(2, 9)]


def test_the_passes_show_what_any_layer_shows(tmp_path: Path) -> None:
    """An object in one of two layers is there; one in a layer that is not rendered, or held out everywhere, is not."""
    scene = shots.make_shot()
    for name in ("Cube", "Ground"):
        collection = bpy.data.collections.new(name)
        scene.collection.children.link(collection)
        collection.objects.link(bpy.data.objects[name])
        scene.collection.objects.unlink(bpy.data.objects[name])
    second = scene.view_layers.new("Second")
    first = scene.view_layers[0]
    first.layer_collection.children["Cube"].exclude = True
    second.layer_collection.children["Ground"].exclude = True
    capture(scene, tmp_path / "both", frame_start=5, frame_end=5)
    passes = shots.read_passes(tmp_path / "both", 5)
    assert passes.mask("Cube").any() and passes.mask("Ground").any()
    second.use = False
    capture(scene, tmp_path / "one", frame_start=5, frame_end=5)
    assert "Cube" not in shots.read_passes(tmp_path / "one", 5).names


def test_a_layer_named_exact_is_the_artist_s(tmp_path: Path) -> None:
    """A layer of the artist's with our name keeps it; ours gets another, and job.json says which."""
    scene = shots.make_shot(width=32, height=32)
    scene.view_layers[0].name = "exact"
    capture(scene, tmp_path, frame_start=5, frame_end=5)
    assert load_job(tmp_path).shot.channels["depth"] == ("exact_.Depth.Z",)
    assert shots.read_passes(tmp_path, 5).depth.min() > 1


def test_a_scaled_parent_does_not_reach_the_camera_matrix(tmp_path: Path) -> None:
    """The picture ignores a camera's scale, and so does the recorded matrix."""
    scene = shots.make_shot()
    parent = bpy.data.objects.new("Rig", None)
    scene.collection.objects.link(parent)
    parent.scale = (3.0, 3.0, 3.0)
    scene.camera.parent = parent
    scene.camera.animation_data_clear()
    scene.camera.location = (0.0, -3.0, 1.2)
    capture(scene, tmp_path, frame_start=5, frame_end=5)
    shot, passes = load_job(tmp_path).shot, shots.read_passes(tmp_path, 5)
    offset = shots.project(shot, shot.cameras[0], passes.position) - shots.pixel_grid(shot)
    seen = passes.depth < shot.background_depth
    assert seen.any()
    assert np.abs(offset[seen]).max() < 0.01


def test_the_camera_is_the_evaluated_one(tmp_path: Path) -> None:
    """A camera that follows a constraint, and is in no rendered collection, is recorded where the picture was taken."""
    scene = shots.make_shot()
    camera, collection = scene.camera, bpy.data.collections.new("Cameras")
    scene.collection.children.link(collection)
    collection.objects.link(camera)
    scene.collection.objects.unlink(camera)
    scene.view_layers[0].layer_collection.children["Cameras"].exclude = True
    constraint = camera.constraints.new("TRACK_TO")
    constraint.target = bpy.data.objects["Cube"]
    capture(scene, tmp_path, frame_start=5, frame_end=5)
    shot, passes = load_job(tmp_path).shot, shots.read_passes(tmp_path, 5)
    seen = passes.depth < shot.background_depth
    offset = shots.project(shot, shot.cameras[0], passes.position) - shots.pixel_grid(shot)
    assert np.abs(offset[seen]).max() < 0.01
    scene.frame_set(5)
    turned = np.array(shot.cameras[0].world_to_camera) @ (*bpy.data.objects["Cube"].matrix_world.translation, 1.0)
    assert np.abs(turned[:2]).max() < 1e-3  # it looks straight at the cube


def test_markers_cut_from_camera_to_camera(tmp_path: Path) -> None:
    """Each frame has the camera that the markers give it."""
    scene = shots.make_shot(width=32, height=32)
    other = bpy.data.objects.new("Other", bpy.data.cameras.new("Other"))
    scene.collection.objects.link(other)
    other.location = (0.0, 0.0, 20.0)
    for frame, camera in ((1, scene.camera), (6, other)):
        scene.timeline_markers.new(f"F_{frame:02d}", frame=frame).camera = camera
    capture(scene, tmp_path, frame_start=5, frame_end=6)
    shot = load_job(tmp_path).shot
    assert np.allclose(np.array(shot.cameras[1].world_to_camera)[:3, 3], (0, 0, -20))
    assert not np.allclose(np.array(shot.cameras[0].world_to_camera)[:3, 3], (0, 0, -20))


def test_file_output_nodes_work_as_in_any_render(tmp_path: Path) -> None:
    """The artist's File Output node writes its file."""
    scene = shots.make_shot(width=32, height=32)
    invert_in_compositor(scene, tmp_path / "files")
    capture(scene, tmp_path / "job", frame_start=5, frame_end=5)
    assert any((tmp_path / "files").iterdir())


@pytest.mark.parametrize("name", ["a job", "{brace}", "take_####", "100%", "schön-雪", ".hidden"])
def test_the_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    """Nothing in a folder's name is taken for a pattern."""
    scene = shots.make_shot(width=32, height=32)
    capture(scene, tmp_path / name, frame_start=5, frame_end=5)
    assert load_job(tmp_path / name).shot.frames == (5,)
    assert (tmp_path / name / "source/0005.png").is_file()
    assert (tmp_path / name / "passes/0005.exr").is_file()


def test_two_captures_are_never_mixed(tmp_path: Path) -> None:
    """A filled folder is refused; with `overwrite` all that belonged to its job goes, and nothing else.

    Results stay for whoever shows them, where the new job will have a result of the same frame.
    """
    scene = shots.make_shot(width=32, height=32)
    capture(scene, tmp_path, frame_start=4, frame_end=5)
    (tmp_path / "output").mkdir()
    for frame in (4, 6):
        (tmp_path / f"output/{frame:04d}.png").write_bytes(b"old")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(CaptureError, match="already holds a job"):
        Capture(scene, tmp_path, settings=shots.SETTINGS)
    assert (tmp_path / "output/0004.png").exists()
    capture(scene, tmp_path, frame_start=6, frame_end=6, overwrite=True)
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    made = {"job.json", "journal.jsonl", "source/0006.png", "passes/0006.exr", "passes/0006.objects.json"}
    assert files == {*made, "output/0006.png", "notes.txt"}
    assert json.loads((tmp_path / "job.json").read_text())["shot"]["frames"] == [6]
