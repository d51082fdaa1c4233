"""What cannot be captured exactly is refused with one sentence, before anything is rendered or written."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import bpy
import pytest

from diffsynth_blender.host import compat
from diffsynth_blender.host.capture.capture import Capture
from diffsynth_blender.host.capture.checks import CaptureError
from diffsynth_blender.host.capture.reuse import change_settings, enter_redo
from diffsynth_blender.protocol import JobBusyError, Journal, Settings, load_job
from tests.host import shots

Scene = bpy.types.Scene


def no_camera(scene: Scene) -> None:
    scene.camera = None


def lamp_as_camera(scene: Scene) -> None:
    scene.camera = bpy.data.objects["Sun"]


def panoramic(scene: Scene) -> None:
    scene.camera.data.type = "PANO"


def panoramic_after_a_cut(scene: Scene) -> None:
    other = bpy.data.objects.new("Other", bpy.data.cameras.new("Other"))
    scene.collection.objects.link(other)
    other.data.type = "PANO"
    for frame, camera in ((1, scene.camera), (6, other)):
        scene.timeline_markers.new(f"cut {frame}", frame=frame).camera = camera


def stereo(scene: Scene) -> None:
    scene.render.use_multiview = True


def wide_pixels(scene: Scene) -> None:
    scene.render.pixel_aspect_x = 2.0


def region(scene: Scene) -> None:
    scene.render.use_border = True


def tiny(scene: Scene) -> None:
    scene.render.resolution_percentage = 1


def workbench(scene: Scene) -> None:
    scene.render.engine = "BLENDER_WORKBENCH"


def no_layer(scene: Scene) -> None:
    for layer in scene.view_layers:
        layer.use = False


REFUSED: list[tuple[Callable[[Scene], None], str]] = [
    (no_camera, "has no camera: add one"),
    (lamp_as_camera, "'Sun', which is no camera"),
    (panoramic, "'Camera' is of type PANO"),
    (panoramic_after_a_cut, "'Other' is of type PANO"),
    (stereo, "Stereoscopy"),
    (wide_pixels, "aspect 2:1"),
    (region, "Render Region"),
    (tiny, "are 0x0 px"),
    (workbench, "BLENDER_WORKBENCH"),
    (no_layer, "Use for Rendering"),
]


@pytest.mark.parametrize(("spoil", "message"), REFUSED, ids=lambda value: getattr(value, "__name__", ""))
def test_refused(tmp_path: Path, spoil: Callable[[Scene], None], message: str) -> None:
    """One line, saying what and the remedy; the folder is not made."""
    scene = shots.make_shot()
    spoil(scene)
    with pytest.raises(CaptureError, match=message) as caught:
        Capture(scene, tmp_path / "job", settings=shots.SETTINGS)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "job").exists()


@pytest.mark.parametrize(("start", "end", "step"), [(5, 4, 1), (1, 5, 0), (1, 5, -1)])
def test_an_empty_range_is_refused(tmp_path: Path, start: int, end: int, step: int) -> None:
    """Nothing to render."""
    with pytest.raises(CaptureError, match="is empty"):
        Capture(shots.make_shot(), tmp_path, settings=shots.SETTINGS, frame_start=start, frame_end=end, frame_step=step)


def test_frames_that_blender_has_not_are_refused(tmp_path: Path) -> None:
    """It counts to a million, on either side of 0."""
    with pytest.raises(CaptureError, match="leaves -1048574 to 1048574: move the shot"):
        Capture(shots.make_shot(), tmp_path, settings=shots.SETTINGS, frame_start=-1_048_575)


def test_a_folder_where_somebody_is_at_work_is_refused(tmp_path: Path) -> None:
    """A worker, or another Blender: nothing of theirs is touched, and afterwards the folder can be had."""
    scene = shots.make_shot(width=32, height=32)
    first = Capture(scene, tmp_path, settings=shots.SETTINGS)
    before = sorted(tmp_path.rglob("*"))
    for overwrite in (False, True):
        with pytest.raises(JobBusyError, match="a worker or another Blender is at this job; wait for it or stop it"):
            Capture(scene, tmp_path, settings=shots.SETTINGS, overwrite=overwrite)
    with pytest.raises(JobBusyError, match="another worker runs this job"):
        Journal(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before
    for _ in first.run_blocking():
        pass
    with Journal(tmp_path):
        with pytest.raises(JobBusyError):
            change_settings(tmp_path, Settings(prompt="gold"))
        with pytest.raises(JobBusyError):
            enter_redo(tmp_path, 5, 5, Settings(prompt="gold"))
        assert load_job(tmp_path) == replace(load_job(tmp_path), settings=shots.SETTINGS, redos=())
    change_settings(tmp_path, Settings(prompt="gold"))
    assert load_job(tmp_path).settings.prompt == "gold"


def test_another_display_is_refused(tmp_path: Path) -> None:
    """The picture would not be sRGB."""
    scene = shots.make_shot()
    try:
        scene.display_settings.display_device = "Display P3"
    except TypeError:
        pytest.skip("this Blender has no such display")
    with pytest.raises(CaptureError, match="Display Device"):
        Capture(scene, tmp_path / "job", settings=shots.SETTINGS)


def test_animated_depth_of_field_is_refused(tmp_path: Path) -> None:
    """Depth of field that key frames switch back on would blur the passes."""
    scene = shots.make_shot()
    dof = scene.camera.data.dof
    dof.use_dof = True
    dof.keyframe_insert("use_dof", frame=1)
    with pytest.raises(CaptureError, match="Depth of Field"):
        for _ in Capture(scene, tmp_path, settings=shots.SETTINGS).run_blocking():
            pass
    assert dof.use_dof
    assert scene.view_layers.keys() == ["ViewLayer"]


def orthographic(camera: bpy.types.Object) -> None:
    camera.data.type = "ORTHO"


def zoom_orthographic(camera: bpy.types.Object) -> None:
    camera.animation_data_clear()
    camera.data.type = "ORTHO"
    for frame, scale in ((1, 5.0), (10, 9.0)):
        camera.data.ortho_scale = scale
        camera.data.keyframe_insert("ortho_scale", frame=frame)


def shift_lens(camera: bpy.types.Object) -> None:
    for frame, shift in ((1, 0.0), (10, 0.3)):
        camera.data.shift_y = shift
        camera.data.keyframe_insert("shift_y", frame=frame)


def zoom(camera: bpy.types.Object) -> None:
    for frame, lens in ((1, 35.0), (10, 60.0)):
        camera.data.lens = lens
        camera.data.keyframe_insert("lens", frame=frame)


MISTAKEN = [(orthographic, "Orthographic"), (zoom_orthographic, "Orthographic"), (shift_lens, "lens shift")]
if not compat.CYCLES_FOLLOWS_ZOOM:
    MISTAKEN.append((zoom, "zooms"))


@pytest.mark.parametrize(
    ("spoil", "message"),
    MISTAKEN,
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_camera_moves_that_cycles_gets_wrong(
    tmp_path: Path, spoil: Callable[[bpy.types.Object], None], message: str
) -> None:
    """Seen at the second frame, and said with both frames' numbers."""
    scene = shots.make_shot(width=32, height=32)
    spoil(scene.camera)
    with pytest.raises(CaptureError, match=message + ".* between frames 4 and 5"):
        for _ in Capture(scene, tmp_path, settings=shots.SETTINGS).run_blocking():
            pass
    assert not (tmp_path / "job.json").exists()


def test_a_still_orthographic_camera_is_fine(tmp_path: Path) -> None:
    """Nothing is wrong with an orthographic camera that keeps still."""
    scene = shots.make_shot(width=32, height=32)
    orthographic(scene.camera)
    scene.camera.animation_data_clear()
    for _ in Capture(scene, tmp_path, settings=shots.SETTINGS, frame_start=4, frame_end=5).run_blocking():
        pass
    assert (tmp_path / "job.json").exists()


def test_a_camera_lost_on_the_way_is_named(tmp_path: Path) -> None:
    """The scene loses its camera between two renders."""
    scene = shots.make_shot()
    with pytest.raises(CaptureError, match="lost its camera"):
        for status in Capture(scene, tmp_path, settings=shots.SETTINGS).run_blocking():
            if status.renders_done == 2:
                scene.camera = None
