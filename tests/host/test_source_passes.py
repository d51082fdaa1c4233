"""Passes on disk: what Blender of this version writes, in all shapes, becomes the job that a render would become."""

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest

from diffsynth_blender.host import api
from diffsynth_blender.host.capture.checks import CaptureError
from diffsynth_blender.host.compat import compositor_tree
from diffsynth_blender.host.source.pictures import PictureMaker
from diffsynth_blender.host.source.source import PassesSource
from diffsynth_blender.protocol import load_job
from tests.host import shots, sources


def make_shot(**options: object) -> bpy.types.Scene:
    """A small shot without dither, whose EXR files can be compared with its PNG files."""
    scene = shots.make_shot(width=64, height=40, **options)
    scene.render.dither_intensity = 0.0
    return scene


def capture(scene: bpy.types.Scene, job_dir: Path, source: PassesSource, **options: object) -> Path:
    """Make a job of the artist's files."""
    return api.capture(scene, job_dir, settings=shots.SETTINGS, source=source, **options)


def refused(scene: bpy.types.Scene, job_dir: Path, source: PassesSource, **options: object) -> str:
    """The sentence that the source is refused with; nothing may have been written."""
    with pytest.raises(CaptureError) as error:
        capture(scene, job_dir, source, **options)
    assert not (job_dir / "job.json").exists()
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("interleave", [False, True], ids=["parts", "interleaved"])
@pytest.mark.parametrize("depth", ["16", "32"])
def test_the_artists_files_become_the_job_of_a_render(tmp_path: Path, depth: str, interleave: bool) -> None:
    """Same cameras, same objects, same passes where both have one sample; the files themselves stay as they are."""
    scene = make_shot()
    scene.cycles.samples = 1
    scene.cycles.filter_width = 0.01
    scene.view_layers[0].name = "Beauty.v01"
    first = sources.render_passes(scene, tmp_path / "exr", depth=depth, interleave=interleave)
    before = {path.name: path.read_bytes() for path in first.parent.iterdir()}
    mine = capture(scene, tmp_path / "mine", PassesSource(first))
    rendered = api.capture(scene, tmp_path / "rendered", settings=shots.SETTINGS)
    job, reference = load_job(mine), load_job(rendered)
    assert replace(job.shot, channels={}, render_seconds=0.0) == replace(
        reference.shot, channels={}, render_seconds=0.0
    )
    for frame in job.shot.pass_frames:
        found, expected = shots.read_passes(mine, frame), shots.read_passes(rendered, frame)
        seen = expected.depth < job.shot.background_depth
        assert np.abs(found.depth / expected.depth - 1).max() < 1e-4
        assert np.array_equal(found.object[seen], expected.object[seen])
        assert np.abs(found.vector - expected.vector)[seen].max() < 1e-3
        objects = [job.shot.objects_path(folder, frame).read_text() for folder in (mine, rendered)]
        assert objects[0] == objects[1]
    assert {path.name: path.read_bytes() for path in first.parent.iterdir()} == before


def test_the_combined_pass_is_what_the_artist_sees(tmp_path: Path) -> None:
    """Through the scene's view transform, look, exposure and curves: the bytes of the PNG that the render writes."""
    scene = make_shot()
    view = scene.view_settings
    view.view_transform, view.exposure, view.gamma = "AgX", 0.6, 1.1
    view.use_curve_mapping = True
    view.curve_mapping.curves[3].points.new(0.4, 0.6)
    view.curve_mapping.update()
    first = sources.render_passes(scene, tmp_path / "exr")
    pictures = sources.render_pictures(scene, tmp_path / "png")
    capture(scene, tmp_path / "job", PassesSource(first))
    for frame in (4, 5, 6):
        made = shots.read_png(tmp_path / "job" / "source" / f"{frame:04d}.png")
        assert np.array_equal(made, shots.read_png(pictures.parent / f"shot_v2_{frame:04d}.png"))


def test_png_files_are_taken_as_they_are(tmp_path: Path) -> None:
    """Byte by byte, whatever the Combined pass shows."""
    scene = make_shot()
    first = sources.render_passes(scene, tmp_path / "exr")
    scene.view_settings.exposure = 2.0
    pictures = sources.render_pictures(scene, tmp_path / "png")
    capture(scene, tmp_path / "job", PassesSource(first, pictures=pictures))
    assert (tmp_path / "job" / "source" / "0005.png").read_bytes() == (
        pictures.parent / "shot_v2_0005.png"
    ).read_bytes()


def test_every_second_frame_takes_the_passes_in_between(tmp_path: Path) -> None:
    """Frame step 2: pictures for the frames of the shot, passes for all."""
    scene = make_shot()
    first = sources.render_passes(scene, tmp_path / "exr")
    capture(scene, tmp_path / "job", PassesSource(first), frame_step=2)
    shot = load_job(tmp_path / "job").shot
    assert (shot.frames, shot.pass_frames) == ((4, 6), (4, 5, 6))
    assert sorted(path.name for path in (tmp_path / "job" / "source").glob("*.png")) == ["0004.png", "0006.png"]
    assert (tmp_path / "job" / "passes" / "0005.exr").is_file()
    (first.parent / "shot_v2_0005.exr").unlink()
    message = refused(scene, tmp_path / "other", PassesSource(first), frame_step=2)
    assert "(5)" in message and "in between" in message


def test_one_of_several_view_layers_is_chosen_by_name(tmp_path: Path) -> None:
    """Two layers with all passes are a question; the answer decides passes and picture."""
    scene = make_shot()
    other = scene.view_layers.new("Ground only")
    first = sources.render_passes(scene, tmp_path / "exr")
    message = refused(scene, tmp_path / "job", PassesSource(first))
    assert "'ViewLayer'" in message and "'Ground only'" in message and "choose one" in message
    capture(scene, tmp_path / "job", PassesSource(first, layer="Ground only"))
    assert load_job(tmp_path / "job").shot.channels["depth"] == ("Ground only.Depth.Z",)
    assert "no view layer 'Sky'" in refused(scene, tmp_path / "sky", PassesSource(first, layer="Sky"))
    other.use_pass_vector = False
    again = sources.animate(scene, tmp_path / "less", "exr")
    capture(scene, tmp_path / "only", PassesSource(again))
    assert load_job(tmp_path / "only").shot.channels["depth"] == ("ViewLayer.Depth.Z",)


def test_missing_passes_are_named_in_one_sentence(tmp_path: Path) -> None:
    """All that is missing, and the button that mends it."""
    scene = make_shot()
    sources.use_exr(scene)
    plain = sources.animate(scene, tmp_path / "plain", "exr")
    message = refused(scene, tmp_path / "job", PassesSource(plain))
    assert "Normal, Vector, Position and Cryptomatte Object are missing" in message
    assert "'ViewLayer'" in message and "Enable Passes" in message
    first = sources.render_passes(scene, tmp_path / "exr")
    scene.view_layers[0].use_pass_vector = False
    sources.animate(scene, tmp_path / "exr", "exr")
    message = refused(scene, tmp_path / "job", PassesSource(first))
    assert "The pass Vector is missing" in message


def test_a_file_output_node_leaves_what_its_version_writes(tmp_path: Path) -> None:
    """All passes and the picture without a layer's name; where Vector has lost a channel, the sentence says so."""
    scene = make_shot()
    pictures = sources.render_pictures(scene, tmp_path / "png")
    first = sources.render_by_node(scene, tmp_path / "node")
    if bpy.app.version < (4, 5, 0):
        assert "Pass Vector of" in (message := refused(scene, tmp_path / "job", PassesSource(first)))
        assert "lacks a channel" in message and "Output properties" in message
        return
    capture(scene, tmp_path / "job", PassesSource(first))
    assert load_job(tmp_path / "job").shot.channels["depth"] == ("Depth.V",)
    made = shots.read_png(tmp_path / "job" / "source" / "0005.png")
    assert np.array_equal(made, shots.read_png(pictures.parent / "shot_v2_0005.png"))


def spoil_size(scene: bpy.types.Scene, first: Path) -> str:
    scene.render.resolution_percentage = 50
    return "64x40 px and the scene renders 32x20 px"


def spoil_number(scene: bpy.types.Scene, first: Path) -> str:
    scene.frame_end = 9
    return "lacks 3 of frames 4 to 9 (7, 8, 9)"


def spoil_head(scene: bpy.types.Scene, first: Path) -> str:
    first.write_bytes(first.read_bytes()[:90])
    return "truncated or no EXR file"


def spoil_kind(scene: bpy.types.Scene, first: Path) -> str:
    first.write_bytes(b"no picture at all")
    return "truncated or no EXR file"


def spoil_region(scene: bpy.types.Scene, first: Path) -> str:
    scene.render.use_border, scene.render.use_crop_to_border, scene.render.border_max_x = True, True, 0.5
    sources.animate(scene, first.parent, "exr")
    scene.render.use_border = False
    return "32x40 px and the scene renders 64x40 px"


@pytest.mark.parametrize("spoil", [spoil_size, spoil_number, spoil_head, spoil_kind, spoil_region])
def test_files_that_do_not_fit_are_refused(tmp_path: Path, spoil) -> None:
    """In one sentence that names the file, before anything is written."""
    scene = make_shot()
    first = sources.render_passes(scene, tmp_path / "exr")
    expected = spoil(scene, first)
    message = refused(scene, tmp_path / "job", PassesSource(first))
    assert expected in message and str(tmp_path) in message
    assert not (tmp_path / "job").exists()


def test_the_job_folder_never_swallows_the_artists_files(tmp_path: Path) -> None:
    """Files inside the folder that is emptied for the job are refused, and are still there."""
    scene = make_shot()
    first = sources.render_passes(scene, tmp_path / "job" / "passes")
    with pytest.raises(CaptureError, match="lies in the job folder"):
        capture(scene, tmp_path / "job", PassesSource(first), overwrite=True)
    assert first.is_file()


def test_the_scene_is_as_it_was(tmp_path: Path) -> None:
    """No scene, image, node tree or setting is left behind; the artist's own compositor is untouched."""
    scene = make_shot()
    sources.render_by_node(scene, tmp_path / "node")
    nodes = [node.name for node in compositor_tree(scene).nodes]
    first = sources.render_passes(scene, tmp_path / "exr")
    sources.use_png(scene)
    scene.frame_set(1)
    before = ([len(getattr(bpy.data, name)) for name in ("scenes", "images", "node_groups")], scene.render.filepath)
    capture(scene, tmp_path / "job", PassesSource(first))
    assert (
        [len(getattr(bpy.data, name)) for name in ("scenes", "images", "node_groups")],
        scene.render.filepath,
    ) == before
    assert [node.name for node in compositor_tree(scene).nodes] == nodes
    assert scene.frame_current == 1 and scene.render.image_settings.file_format == "PNG"
    assert bpy.context.window_manager.windows[0].scene == scene


def test_pictures_are_composed_on_the_processor(tmp_path: Path) -> None:
    """Whatever the scene says of its own: the pixels are those of any machine, and a card in software crashes 5.2."""
    scene = make_shot()
    first = sources.render_passes(scene, tmp_path / "exr")
    scene.render.compositor_device = "GPU"
    with PictureMaker(scene, "") as maker, maker.picture(first, 4, tmp_path / "0004.png") as alone:
        assert (alone.render.compositor_device, alone.render.compositor_precision) == ("CPU", "FULL")
    assert scene.render.compositor_device == "GPU"


def test_a_capture_is_reused_until_a_file_changes(tmp_path: Path) -> None:
    """The same files again are not read again; another file, or another source, is."""
    scene = make_shot()
    first = sources.render_passes(scene, tmp_path / "exr")
    seen: list[int] = []

    def again(source: PassesSource | None) -> int:
        seen.clear()
        options = {} if source is None else {"source": source}
        api.capture(
            scene, tmp_path / "job", settings=shots.SETTINGS, overwrite=True, reuse=True,
            on_status=lambda status: seen.append(status.frame), **options,
        )  # fmt: skip
        return len(seen)

    assert again(PassesSource(first)) == 3
    assert again(PassesSource(first)) == 0
    sources.animate(scene, tmp_path / "exr", "exr")
    assert again(PassesSource(first)) == 3
    assert again(None) == 6, "a render now is another source than files"
    assert again(None) == 0
    assert again(PassesSource(first)) == 3
