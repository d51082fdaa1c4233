"""Whatever happens to a capture, the artist's scene is afterwards exactly as before."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import bpy
import pytest

from diffsynth_blender.host.capture.capture import Capture
from diffsynth_blender.host.capture.checks import CaptureError
from tests.host import shots

SKIPPED = {"rna_type", "bl_rna", "original", "depsgraph", "id_data"}
SKIPPED.add("uv_sculpt")  # reading it crashes Blender 4.2


def everything() -> dict[str, object]:
    """All that can be read of the scenes and cameras, by path, and the names of all data-blocks with their users."""
    found: dict[str, object] = {}
    for block in [*bpy.data.scenes, *bpy.data.cameras]:
        found.update(properties(block, repr(block)))
    for prop in bpy.data.bl_rna.properties:
        if prop.type == "COLLECTION":
            blocks = getattr(bpy.data, prop.identifier)
            found[prop.identifier] = {
                block.name_full: block.users for block in blocks if block.name_full != "Render Result"
            }
    return found


def assert_as_before(before: dict[str, object]) -> None:
    """Compare with all there is now."""
    after = everything()
    for key, value in before.items():
        # "Not chosen yet" cannot be set again; what replaces it is the file format's own, which it stood for.
        if value == "" and key.endswith("image_settings.linear_colorspace_settings.name"):
            after[key] = ""
    assert {key: (value, after.get(key)) for key, value in before.items() if after.get(key) != value} == {}
    assert after.keys() == before.keys()


def properties(owner: bpy.types.bpy_struct, path: str) -> Iterator[tuple[str, object]]:
    """Every property of `owner` and of the structs inside it."""
    for prop in owner.bl_rna.properties:
        name = f"{path}.{prop.identifier}"
        if prop.identifier in SKIPPED:
            continue
        value = getattr(owner, prop.identifier)
        if prop.type == "POINTER":
            if isinstance(value, bpy.types.ID) and not value.is_embedded_data:
                yield name, repr(value)
            elif value is not None:
                yield from properties(value, name)
        elif prop.type == "COLLECTION":
            yield name, len(value)
            for index, item in enumerate(value):
                if isinstance(item, bpy.types.ID):
                    yield f"{name}[{index}]", repr(item)
                else:
                    yield from properties(item, f"{name}[{index}]")
        elif getattr(prop, "is_array", False):
            yield name, [tuple(row) if hasattr(row, "__len__") else row for row in value]
        else:
            yield name, value


def make_peculiar_shot() -> bpy.types.Scene:
    """A shot in which every setting that a capture touches has an unusual value."""
    scene = shots.make_shot(width=32, height=32)
    render, cycles = scene.render, scene.cycles
    settings = render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "VIDEO"
    settings.file_format = "FFMPEG"
    render.filepath, render.use_file_extension = "//somewhere/shot_####", False
    render.use_motion_blur = render.use_stamp = render.use_freestyle = render.use_sequencer = True
    render.use_compositing, render.filter_size, render.film_transparent = True, 2.5, True
    cycles.samples, cycles.use_adaptive_sampling, cycles.use_denoising, cycles.time_limit = 3, True, True, 60.0
    cycles.film_exposure, cycles.filter_width, cycles.pixel_filter_type, cycles.sample_offset = 1.5, 2.0, "BOX", 4
    scene.camera.data.dof.use_dof = True
    second = scene.view_layers.new("Second")
    second.use, second.samples = False, 7
    collection = bpy.data.collections.new("Extra")
    scene.collection.children.link(collection)
    second.layer_collection.children["Extra"].holdout = True
    scene.view_layers[0].layer_collection.children["Extra"].exclude = True
    scene.frame_set(2, subframe=0.25)
    return scene


@pytest.fixture
def unchanged() -> Iterator[bpy.types.Scene]:
    """A peculiar shot; after the test nothing may have changed."""
    scene = make_peculiar_shot()
    before = everything()
    assert len(before) > 500
    yield scene
    assert_as_before(before)


def run(scene: bpy.types.Scene, job_dir: Path, between: Callable[[int], None] = lambda count: None) -> Capture:
    capture = Capture(scene, job_dir, settings=shots.SETTINGS)
    for status in capture.run_blocking():
        between(status.renders_done)
    return capture


def assert_no_job(job_dir: Path) -> None:
    """What was interrupted is no job, and leaves no half-written file."""
    assert not (job_dir / "job.json").exists()
    assert not list(job_dir.rglob(".writing*"))


def test_after_success(unchanged: bpy.types.Scene, tmp_path: Path) -> None:
    """All frames captured."""
    assert run(unchanged, tmp_path).status.state == "done"


@pytest.mark.parametrize("file_format", ["JPEG", "OPEN_EXR", "OPEN_EXR_MULTILAYER", "TIFF", "CINEON", "HDR", "BMP"])
def test_after_success_with_any_file_format(tmp_path: Path, file_format: str) -> None:
    """The artist's file format comes back with its depth, colour mode and codec."""
    scene = shots.make_shot(width=32, height=32)
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "MULTI_LAYER_IMAGE" if file_format == "OPEN_EXR_MULTILAYER" else "IMAGE"
    settings.file_format = file_format
    settings.exr_codec, settings.compression, settings.color_management = "PIZ", 77, "OVERRIDE"
    before = everything()
    capture = Capture(scene, tmp_path, settings=shots.SETTINGS, frame_start=5, frame_end=5)
    assert [status.state for status in capture.run_blocking()] == ["running", "running"]
    assert_as_before(before)


def test_after_an_unwritable_folder(unchanged: bpy.types.Scene, tmp_path: Path) -> None:
    """A place that cannot be a folder is refused before anything is rendered."""
    (tmp_path / "file").write_text("")
    with pytest.raises(CaptureError, match="cannot be written"):
        run(unchanged, tmp_path / "file" / "job")


def test_after_the_folder_vanishes(unchanged: bpy.types.Scene, tmp_path: Path) -> None:
    """A render that cannot write its file ends the capture."""

    def between(count: int) -> None:
        if count == 2:  # passes of the first frame: rendered, not yet filed
            for path in (tmp_path / "source").iterdir():
                path.unlink()
            (tmp_path / "source").rmdir()
            (tmp_path / "source").write_text("in the way")

    with pytest.raises(CaptureError, match=r"[Ff]rame 5"):
        run(unchanged, tmp_path, between)
    assert_no_job(tmp_path)


def test_after_a_camera_that_turns_panoramic(tmp_path: Path) -> None:
    """A camera that only the second frame's marker shows to be unfit ends the capture there."""
    scene = make_peculiar_shot()
    capture = Capture(scene, tmp_path, settings=shots.SETTINGS)
    before = everything()
    with pytest.raises(CaptureError, match="Lens Type"):
        for status in capture.run_blocking():
            if status.renders_done == 2:
                scene.camera.data.type = "PANO"
    scene.camera.data.type = "PERSP"
    assert_as_before(before)
    assert_no_job(tmp_path)
    assert capture.status.state == "failed"


@pytest.mark.parametrize("renders", [1, 2, 3])
def test_after_cancel(unchanged: bpy.types.Scene, tmp_path: Path, renders: int) -> None:
    """Cancelled in the artist's render or in the passes'."""
    capture = Capture(unchanged, tmp_path, settings=shots.SETTINGS)
    for status in capture.run_blocking():
        if status.renders_done == renders:
            capture.cancel()
    assert capture.status.state == "cancelled"
    assert capture.status.renders_done == renders
    assert_no_job(tmp_path)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_after_an_exception_in_the_loop(unchanged: bpy.types.Scene, tmp_path: Path, error: type) -> None:
    """Whatever the caller's loop raises passes through, and the scene is as before."""

    def between(count: int) -> None:
        if count == 3:
            raise error("stop")

    with pytest.raises(error):
        run(unchanged, tmp_path, between)
    assert_no_job(tmp_path)


def test_after_leaving_the_loop(unchanged: bpy.types.Scene, tmp_path: Path) -> None:
    """Breaking out of the loop cancels."""
    capture = Capture(unchanged, tmp_path, settings=shots.SETTINGS)
    for _ in capture.run_blocking():
        break
    capture.close()
    assert capture.status.state == "cancelled"
    assert_no_job(tmp_path)


def test_before_it_starts_nothing_is_touched(unchanged: bpy.types.Scene, tmp_path: Path) -> None:
    """A capture that is made and dropped has changed nothing."""
    Capture(unchanged, tmp_path, settings=shots.SETTINGS).close()


def test_between_renders_only_the_frame_differs(tmp_path: Path) -> None:
    """While a render is prepared the scene is changed; the exact layer is gone as soon as its render is filed."""
    scene = make_peculiar_shot()
    layers = scene.view_layers.keys()
    capture = Capture(scene, tmp_path, settings=shots.SETTINGS)
    seen = []
    for status in capture.run_blocking():
        seen.append((status.renders_done, scene.view_layers.keys()))
    assert [names for count, names in seen if count % 2] == [layers] * 3
    assert [len(names) for count, names in seen if not count % 2] == [len(layers) + 1] * 3
    assert scene.view_layers.keys() == layers


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_folder_is_refused(unchanged: bpy.types.Scene, tmp_path: Path) -> None:
    """No right to write: said before anything is rendered."""
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(CaptureError, match="cannot be written"):
            run(unchanged, tmp_path / "job")
    finally:
        tmp_path.chmod(0o700)
