"""The strip shows result frames bit for bit, at the right frames, and is renewed in place."""

import struct
import zlib
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest

from diffsynth_blender.host.result import movie, strip
from diffsynth_blender.protocol import BadJobError, Camera, Job, Settings, Shot, load_job, output_path, save_job

WIDTH, HEIGHT = 32, 24
IDENTITY = tuple(tuple(float(row == column) for column in range(4)) for row in range(4))


def write_png(path: Path, pixels: np.ndarray) -> None:
    """8-bit RGB, shape (H, W, 3), written by hand so that no colour management is involved."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )


def read_png(path: Path) -> np.ndarray:
    """8-bit RGB, shape (H, W, 3), top row first."""
    image = bpy.data.images.load(str(path), check_existing=False)
    image.colorspace_settings.name = "Non-Color"
    width, height = image.size
    pixels = np.array(image.pixels[:], np.float64).reshape(height, width, 4)[::-1, :, :3]
    bpy.data.images.remove(image)
    return np.rint(pixels * 255).astype(np.uint8)


def make_job(
    job_dir: Path, frames: tuple[int, ...] = (5, 6, 7), *, fps: tuple[int, int] = (24, 1), seed: int = 0
) -> None:
    """A finished job of random frames: noise shows every error of colour, position and scaling."""
    pass_frames = tuple(range(frames[0], frames[-1] + 1))
    shot = Shot(
        name="shot",
        blender=bpy.app.version_string,
        engine="CYCLES",
        width=WIDTH,
        height=HEIGHT,
        fps=fps,
        frames=frames,
        pass_frames=pass_frames,
        source="source/{frame:04d}.png",
        passes="passes/{frame:04d}.exr",
        channels={
            "depth": ("exact.Depth.Z",),
            "normal": ("exact.Normal.X", "exact.Normal.Y", "exact.Normal.Z"),
            "vector": ("exact.Vector.X", "exact.Vector.Y", "exact.Vector.Z", "exact.Vector.W"),
            "position": ("exact.Position.X", "exact.Position.Y", "exact.Position.Z"),
            "object": ("exact.CryptoObject00.r",),
        },
        background_depth=1e9,
        sample_offset=(0.0, 0.0),
        cameras=tuple(Camera(frame, IDENTITY, IDENTITY) for frame in pass_frames),
    )
    save_job(Job(shot, Settings(prompt="clay")), job_dir)
    random = np.random.default_rng(seed)
    for frame in frames:
        write_png(output_path(job_dir, frame), random.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8))
        write_png(shot.source_path(job_dir, frame), random.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8))


def render_still(scene: bpy.types.Scene, frame: int, path: Path) -> np.ndarray:
    bpy.context.scene.frame_set(frame)  # Blender renders any scene at the frame of the current one
    if hasattr(scene.render.image_settings, "media_type"):
        scene.render.image_settings.media_type = "IMAGE"
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.color_mode = "RGB"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True, scene=scene.name)
    return read_png(path)


def element_names(shown: bpy.types.ID) -> list[str]:
    return [element.filename for element in shown.elements]


@pytest.fixture
def shot_scene() -> bpy.types.Scene:
    """A shot with the least favourable colour settings: none of them may reach the edit scene."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.name = "Shot 010"
    scene.view_settings.view_transform = "AgX"
    scene.view_settings.exposure = 1.5
    return scene


def test_enlarged_frames_are_shown_whole(shot_scene, tmp_path):
    """Results of a job with super-resolution are larger than the render: the edit scene is as large as they are."""
    make_job(tmp_path / "job")
    job = load_job(tmp_path / "job")
    save_job(replace(job, settings=replace(job.settings, upscale=2)), tmp_path / "job")
    pixels = np.random.default_rng(0).integers(0, 256, (2 * HEIGHT, 2 * WIDTH, 3), np.uint8)
    for frame in job.shot.frames:
        write_png(output_path(tmp_path / "job", frame), pixels)
    strip.insert_strip(shot_scene, tmp_path / "job")
    rendered = render_still(strip.find_edit_scene(shot_scene), 5, tmp_path / "rendered.png")
    assert np.array_equal(rendered, pixels)


@pytest.mark.parametrize("save_first", [False, True], ids=["unsaved", "saved"])
def test_frames_are_bit_exact(shot_scene, tmp_path, save_first):
    """What Blender renders from the strip is what the worker wrote, value for value."""
    if save_first:
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
        shot_scene = bpy.data.scenes["Shot 010"]
    make_job(tmp_path / "job")
    strip.insert_strip(shot_scene, tmp_path / "job")
    edit_scene = strip.find_edit_scene(shot_scene)
    for frame in (5, 6, 7):
        rendered = render_still(edit_scene, frame, tmp_path / f"rendered{frame}.png")
        np.testing.assert_array_equal(rendered, read_png(output_path(tmp_path / "job", frame)))


def test_edit_scene_fits_the_shot(shot_scene, tmp_path):
    """Name, range, size, speed and place of the strip follow the shot; the shot's own scene is left alone."""
    make_job(tmp_path / "job", fps=(24000, 1001))
    shown = strip.insert_strip(shot_scene, tmp_path / "job")
    edit_scene = strip.find_edit_scene(shot_scene)
    assert edit_scene.name == "Shot 010 Stylised"
    assert (edit_scene.frame_start, edit_scene.frame_end) == (5, 7)
    assert (shown.frame_final_start, shown.frame_final_end) == (5, 8)
    assert (edit_scene.render.resolution_x, edit_scene.render.resolution_y) == (WIDTH, HEIGHT)
    assert edit_scene.render.fps == 24
    assert edit_scene.render.fps_base == pytest.approx(1.001)
    assert (shot_scene.view_settings.view_transform, shot_scene.view_settings.exposure) == ("AgX", 1.5)
    assert len(strip.strips_of(shot_scene)) == 0


def test_same_job_again_renews_the_strip(shot_scene, tmp_path):
    """One strip a job folder, whatever happens to the number of frames; what the artist set on it stays."""
    make_job(tmp_path / "job")
    shown = strip.insert_strip(shot_scene, tmp_path / "job")
    shown.channel, shown.blend_alpha = 3, 0.5
    make_job(tmp_path / "job", frames=(4, 5, 6, 7, 8), seed=1)
    again = strip.insert_strip(shot_scene, tmp_path / "job")
    edit_scene = strip.find_edit_scene(shot_scene)
    assert [again] == list(strip.strips_of(edit_scene))
    assert (again.frame_final_start, again.frame_final_end) == (4, 9)
    assert (again.channel, again.blend_alpha) == (3, 0.5)
    again.blend_alpha = 1.0
    rendered = render_still(edit_scene, 6, tmp_path / "rendered.png")
    np.testing.assert_array_equal(rendered, read_png(output_path(tmp_path / "job", 6)))
    make_job(tmp_path / "job", frames=(6, 7), seed=2)
    fewer = strip.insert_strip(shot_scene, tmp_path / "job")
    assert (fewer.frame_final_start, fewer.frame_final_end) == (6, 8)
    assert element_names(fewer) == ["0006.png", "0007.png"]


def test_another_job_goes_above(shot_scene, tmp_path):
    """Two variations of a shot lie above each other in the same edit scene."""
    for name in ("clay", "gold"):
        make_job(tmp_path / name)
    clay = strip.insert_strip(shot_scene, tmp_path / "clay")
    gold = strip.insert_strip(shot_scene, tmp_path / "gold")
    assert (clay.channel, gold.channel) == (1, 2)
    assert len(bpy.data.scenes) == 2


def test_scenes_may_be_renamed(shot_scene, tmp_path):
    """The edit scene belongs to its shot by a link, not by its name."""
    make_job(tmp_path / "job")
    strip.insert_strip(shot_scene, tmp_path / "job")
    strip.find_edit_scene(shot_scene).name = "my edit"
    shot_scene.name = "Shot 020"
    strip.insert_strip(shot_scene, tmp_path / "job")
    assert {scene.name for scene in bpy.data.scenes} == {"my edit", "Shot 020"}


def test_step_holds_each_result(shot_scene, tmp_path):
    """Every second frame stylised: each result is shown twice, the last one up to the shot's last frame."""
    make_job(tmp_path / "job", frames=(5, 7, 9))
    shown = strip.insert_strip(shot_scene, tmp_path / "job")
    assert element_names(shown) == ["0005.png", "0005.png", "0007.png", "0007.png", "0009.png"]
    assert (shown.frame_final_start, shown.frame_final_end) == (5, 10)


def test_missing_frames_are_named(shot_scene, tmp_path):
    """A strip with holes is refused, in one line, before anything in the file is touched."""
    make_job(tmp_path / "job")
    output_path(tmp_path / "job", 6).unlink()
    with pytest.raises(BadJobError, match=r"output: 1 of 3 frames are missing \(6\); run the job again") as caught:
        strip.insert_strip(shot_scene, tmp_path / "job")
    assert "\n" not in str(caught.value)
    assert list(bpy.data.scenes) == [shot_scene]


def test_path_is_relative_in_a_saved_file(shot_scene, tmp_path):
    """File and job folder can be moved together."""
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    make_job(tmp_path / "job")
    shown = strip.insert_strip(bpy.data.scenes["Shot 010"], tmp_path / "job")
    assert shown.directory.replace("\\", "/") == "//job/output/"


def test_movies(shot_scene, tmp_path):
    """Both movies have the shot's length and size, and no output setting of the edit scene changes."""
    make_job(tmp_path / "job")
    strip.insert_strip(shot_scene, tmp_path / "job")
    edit_scene = strip.find_edit_scene(shot_scene)
    before = output_settings(edit_scene)
    paths = [
        movie.render_movie(edit_scene, tmp_path / "result.mp4"),
        movie.render_source_movie(tmp_path / "job", tmp_path / "source.mp4"),
    ]
    assert output_settings(edit_scene) == before
    assert len(bpy.data.scenes) == 2
    for path in paths:
        clip = bpy.data.movieclips.load(str(path))
        assert (clip.frame_duration, tuple(clip.size)) == (3, (WIDTH, HEIGHT))
        assert b"avc1" in path.read_bytes()


def test_movie_of_odd_size_is_refused(shot_scene, tmp_path):
    """H.264 stores even sizes only; Blender's own message would not say so."""
    make_job(tmp_path / "job")
    strip.insert_strip(shot_scene, tmp_path / "job")
    edit_scene = strip.find_edit_scene(shot_scene)
    edit_scene.render.resolution_x = 33
    with pytest.raises(BadJobError, match="even frame size, this shot is 33x24"):
        movie.render_movie(edit_scene, tmp_path / "result.mp4")


def output_settings(scene: bpy.types.Scene) -> dict[str, object]:
    """Every readable output setting of a scene."""
    found = {}
    for owner in (scene.render, scene.render.image_settings, scene.render.ffmpeg):
        for key, prop in owner.bl_rna.properties.items():
            if prop.type in {"BOOLEAN", "INT", "FLOAT", "STRING", "ENUM"} and not getattr(prop, "is_array", False):
                found[f"{owner.bl_rna.identifier}.{key}"] = getattr(owner, key)
    return found


def test_job_file_is_what_it_says(tmp_path):
    """The job of these tests is one that the worker would take."""
    make_job(tmp_path / "job")
    assert load_job(tmp_path / "job").shot.frames == (5, 6, 7)
