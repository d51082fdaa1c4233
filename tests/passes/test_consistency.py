"""Laws of what is asked of passes: they are those of their camera, and hold motion where something moves."""

from dataclasses import replace

import numpy as np
import pytest

from diffsynth_blender.passes.consistency import PassChecks
from diffsynth_blender.passes.enlarge import enlarge_passes
from diffsynth_blender.passes.errors import PassError
from diffsynth_blender.passes.exr import ExactPasses
from tests.reference.scene import BACKGROUND_DEPTH, Scene, demo_scene


def checks(scene: Scene, factor: int = 1) -> PassChecks:
    return PassChecks(
        width=scene.width * factor,
        height=scene.height * factor,
        background_depth=BACKGROUND_DEPTH,
        sample_offset=(0.0, 0.0),
        factor=factor,
    )


def see(check: PassChecks, scene: Scene, frame: int, passes: ExactPasses, *, camera: int | None = None) -> None:
    seen_by = scene.camera(frame if camera is None else camera)
    check.see(frame, passes, seen_by.world_to_camera, seen_by.projection, scene.objects(frame))


@pytest.fixture(scope="module")
def scene() -> Scene:
    return demo_scene(64, 48)


@pytest.mark.parametrize("factor", [1, 2])
def test_passes_of_the_camera_pass_without_a_word(scene, factor):
    """Exact passes, enlarged ones too, give no note."""
    check = checks(scene, factor)
    for frame in (1, 2, 3):
        see(check, scene, frame, enlarge_passes(scene.passes(frame), factor))
    assert check.notes() == []


def test_another_camera_is_refused(scene):
    """The passes of a frame with the camera of one far from it: off by pixels, and the message says by how many."""
    with pytest.raises(
        PassError, match=r"frame 1: its passes are not what its camera sees, they are off by \d+\.\d px"
    ):
        see(checks(scene), scene, 1, scene.passes(1), camera=9)


def test_a_blur_of_positions_is_told_and_a_large_one_refused(scene):
    """Surfaces from beside the centre, as through a lens: half a pixel is a note, many are none of this camera."""
    passes = scene.passes(1)
    noise = np.random.default_rng(1).normal(size=passes.position.shape).astype(np.float32)
    size = passes.depth[..., None] / (1.5 * scene.width) * 2
    blurred = replace(passes, position=np.where(size < BACKGROUND_DEPTH / 1e3, passes.position + 0.4 * size * noise, 0))
    check = checks(scene)
    see(check, scene, 1, blurred)
    (note,) = check.notes()
    assert "px beside the centres" in note
    hopeless = replace(passes, position=passes.position + 20 * np.minimum(size, 1.0) * noise)
    with pytest.raises(PassError, match="not what its camera sees"):
        see(checks(scene), scene, 1, hopeless)


def test_motion_of_zeros_is_refused_where_something_moves(scene):
    """As Blender writes it with motion blur; a shot in which nothing moves has zeros by right."""
    still = [replace(scene.passes(frame), vector=np.zeros_like(scene.passes(frame).vector)) for frame in (1, 2)]
    check = checks(scene)
    see(check, scene, 1, still[0])
    with pytest.raises(PassError, match=r"frames 1 and 2: the motion pass is zero.*Motion Blur"):
        see(check, scene, 2, still[1])
    check = checks(scene)
    for frame in (1, 2):  # the same picture twice, camera and objects where they were
        camera = scene.camera(1)
        check.see(frame, still[0], camera.world_to_camera, camera.projection, scene.objects(1))
    assert check.notes() == []


def test_what_has_no_matrix_may_move_with_the_camera(scene):
    """Zeros are no proof against surfaces that nobody knows the motion of."""
    check = checks(scene)
    for frame in (1, 2):
        passes, camera = scene.passes(frame), scene.camera(frame)
        passes = replace(passes, vector=np.zeros_like(passes.vector))
        check.see(frame, passes, camera.world_to_camera, camera.projection, {})


def test_a_region_is_refused(scene):
    """Blender leaves zeros where nothing was rendered."""
    passes = scene.passes(1)
    depth = passes.depth.copy()
    depth[:, :20] = 0.0
    with pytest.raises(PassError, match=rf"frame 1: {20 * 48} pixels of the depth pass are zero.*Render Region"):
        see(checks(scene), scene, 1, replace(passes, depth=depth))
