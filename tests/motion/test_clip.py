"""Laws of exact correspondence, against a scene whose every motion is known in closed form."""

from dataclasses import replace

import numpy as np
import pytest

from diffsynth_blender.motion.walk_kernels import LINE
from tests.reference.clips import clip_of
from tests.reference.scene import Rectangle, Scene, demo_scene, lens, move, sky_waves, turn, waves

FRAMES = range(1, 12)


@pytest.fixture(scope="module")
def scene():
    return demo_scene(96, 64)


def distances(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Return the position errors [px] of what is visible in both."""
    both = (found[..., 2] > 0) & (true[..., 2] > 0)
    return np.linalg.norm(found[both][:, :2] - true[both][:, :2], axis=-1)


def near_silhouette(mask: np.ndarray) -> np.ndarray:
    """Return `mask` grown by one pixel."""
    padded = np.pad(mask, 1)
    shifts = [(dy, dx) for dy in range(3) for dx in range(3)]
    return np.any([padded[dy : dy + mask.shape[0], dx : dx + mask.shape[1]] for dy, dx in shifts], axis=0)


@pytest.mark.parametrize(("target", "source"), [(4, 5), (5, 4)])
@pytest.mark.parametrize("sample_offset", [(0.0, 0.0), (-0.03, 0.24)])
def test_one_step_is_exact(target, source, sample_offset):
    """Over one frame the field is the vector pass and the cameras: within 1/1000 px."""
    scene = demo_scene(96, 64, sample_offset=sample_offset)
    error = distances(clip_of(scene, FRAMES).field(target, source), scene.field(target + 1, source + 1))
    assert error.mean() < 1e-4 and error.max() < 1e-3


@pytest.mark.parametrize(("target", "source"), [(0, 8), (9, 1)])
def test_eight_steps_stay_exact(scene, target, source):
    """Composed over eight frames, rigid motion stays within 1/100 px on average, everywhere below 1/3."""
    error = distances(clip_of(scene, FRAMES).field(target, source), scene.field(target + 1, source + 1))
    assert error.size > 0.5 * 96 * 64
    assert error.mean() < 0.01 and error.max() < 0.33


@pytest.mark.parametrize(("target", "source"), [(4, 5), (5, 4), (1, 5), (8, 3)])
def test_visibility_is_true_but_for_pixels_on_silhouettes(scene, target, source):
    """What is called visible is visible, what is called hidden is hidden, to within a pixel of a silhouette."""
    found = clip_of(scene, FRAMES).field(target, source)[..., 2] > 0
    truth = scene.field(target + 1, source + 1)
    true = truth[..., 2] > 0
    assert not (found & ~near_silhouette(true)).any()
    # A point of which the source shows nothing but the edge may be called hidden, and so may one hidden in between.
    ids = scene.passes(source + 1).object_id
    across, down = np.rint(truth[..., :2]).astype(int).clip(0, (95, 63)).transpose(2, 0, 1)
    edge = np.any([near_silhouette(ids == id) & (ids != id) for id in np.unique(ids)], axis=0)
    lost = near_silhouette(edge)[down, across]
    between = [scene.field(target + 1, frame + 1)[..., 2] == 0 for frame in range(*sorted((target, source)))]
    assert (found | ~true | lost | near_silhouette(np.any(between, axis=0))).all()


def test_a_frame_lies_on_itself(scene):
    """The field from a frame to itself is the identity, all visible."""
    y, x = np.mgrid[:64, :96]
    np.testing.assert_array_equal(clip_of(scene, FRAMES).field(3, 3), np.stack([x, y, np.ones_like(x)], axis=-1))


def test_a_static_shot_does_not_move_at_all():
    """With nothing moving every field is the identity, bit for bit."""
    still = demo_scene(48, 32, speed=0.0)
    clip = clip_of(still, range(1, 5))
    np.testing.assert_array_equal(clip.field(0, 3), clip.field(2, 2))


def test_background_moves_with_the_camera_only(scene):
    """The vector pass says nothing there; two cameras do."""
    found, true = clip_of(scene, FRAMES).field(1, 7), scene.field(2, 8)
    sky = (scene.passes(2).object_id == 0) & (found[..., 2] > 0)
    assert sky.sum() > 500
    np.testing.assert_allclose(found[sky][:, :2], true[sky][:, :2], atol=1e-3)


def test_background_is_seen_on_background_only(scene):
    """Sky that a card covers in the source is hidden."""
    found = clip_of(scene, FRAMES).field(1, 7)
    sky = (scene.passes(2).object_id == 0) & (found[..., 2] > 0)
    x, y = np.rint(found[sky][:, :2]).astype(int).T
    covered = ~near_silhouette(scene.passes(8).object_id == 0)
    assert not covered[np.clip(y, 0, 63), np.clip(x, 0, 95)].any()


def test_frames_in_between_are_used_but_not_counted(scene):
    """With every third frame stylised, motion is still composed through all of them."""
    found = clip_of(scene, range(1, 11, 3)).field(0, 2)
    np.testing.assert_array_equal(found, clip_of(scene, FRAMES).field(0, 6))


def test_two_surfaces_of_one_object_are_kept_apart():
    """A card that crosses before another part of the same object hides it."""
    scene = Scene(
        96,
        64,
        (
            Rectangle(5, (6.0, 6.0), lambda frame: move(0, 0, -6), waves(1)),
            Rectangle(5, (0.4, 0.4), lambda frame: move(-1.0 + 0.2 * frame, 0, -3), waves(2)),
        ),
        lambda frame: np.eye(4),
        lens(96, 64),
        sky_waves,
    )
    found, true = clip_of(scene, range(1, 8)).field(1, 3), scene.field(2, 4)
    assert distances(found, true).max() < 1e-3
    assert not ((found[..., 2] > 0) & ~near_silhouette(true[..., 2] > 0)).any()


def test_nothing_is_visible_across_a_cut():
    """Vectors follow one camera; where the shot changes to another one nothing corresponds."""
    one, other = demo_scene(48, 32), demo_scene(48, 32)
    other = replace(other, camera_to_world=lambda frame: move(3.0, 0.5, -9.0) @ turn("y", 2.0))

    def shot(frame: int) -> Scene:
        return one if frame < 4 else other

    clip = clip_of(one, range(1, 7), reader=lambda frame: shot(frame).passes(frame))
    clip._pass_frames.cameras = {frame: shot(frame).camera(frame) for frame in range(1, 7)}
    for target, source in ((2, 3), (3, 2), (0, 5)):
        assert not clip.field(target, source)[..., 2].any()
    assert clip.field(1, 2)[..., 2].mean() > 0.8
    assert clip.field(4, 3)[..., 2].mean() > 0.8


def test_a_camera_that_rides_along_is_no_cut():
    """Seen from a moving car, the car stays put while the cameras say that everything rushes by."""
    ride = Scene(
        48,
        32,
        (Rectangle(5, (6.0, 6.0), lambda frame: move(4.0 * frame, 0, -3), waves(1)),),
        lambda frame: move(4.0 * frame, 0, 0),
        lens(48, 32),
        sky_waves,
    )
    assert clip_of(ride, range(1, 4)).field(0, 2)[..., 2].all()


def test_an_orthographic_camera_leaves_the_sky_where_it_is():
    """Parallel rays see one direction of the sky, so it does not move with the camera."""
    scene = demo_scene(48, 32)
    flat = np.diag([0.2, 0.3, -0.01, 1.0])
    empty = replace(scene, rectangles=(), projection=flat)
    clip = clip_of(empty, range(1, 4), reader=replace(scene, rectangles=()).passes)
    np.testing.assert_array_equal(clip.field(0, 2), clip.field(0, 0))


def test_the_result_does_not_depend_on_the_number_of_threads(scene):
    """One thread or five: the same bits."""
    fields = [clip_of(scene, FRAMES, threads=threads).field(2, 6) for threads in (1, 2, 5)]
    for field in fields[1:]:
        np.testing.assert_array_equal(field, fields[0])


def test_passes_are_read_once_and_few_are_held(scene):
    """Sweeping a window over a clip reads each frame once and keeps a bounded number of them."""
    reads: list[int] = []

    def reader(frame: int):
        reads.append(frame)
        return scene.passes(frame)

    clip = clip_of(scene, FRAMES, reader=reader, keep=2)
    clip.reserve(2)
    for target in range(len(FRAMES)):
        clip.traces(target, [s for s in range(target - 2, target + 3) if 0 <= s < len(FRAMES)])
        assert len(clip._pass_frames._held) <= 6
    assert sorted(reads) == list(FRAMES)


@pytest.mark.parametrize(("width", "height"), [(17, 9), (1, 1), (33, 2)])
def test_any_size_works(width, height):
    """Odd and tiny frames are frames."""
    field = clip_of(demo_scene(width, height), range(1, 4)).field(0, 2)
    assert field.shape == (height, width, 3) and np.isfinite(field).all()


def test_a_frame_wider_than_a_line_has_no_seams():
    """Lines are worked on in parts: where two of them meet, positions are as exact as elsewhere."""
    scene = demo_scene(2 * LINE + 33, 20)
    field, truth = clip_of(scene, FRAMES).field(3, 5), scene.field(4, 6)
    seams = slice(LINE - 8, LINE + 8)
    assert distances(field, truth).max() < 0.1
    assert (field[:, seams, 2] > 0).mean() > 0.9 * (truth[:, seams, 2] > 0).mean()


def test_missing_passes_and_cameras_are_named(scene):
    """The constructor says which frames lack what, before anything is read."""
    from diffsynth_blender.motion.clip import Clip

    options = {"width": 96, "height": 64, "background_depth": 1e9}
    cameras = {frame: scene.camera(frame) for frame in FRAMES}
    with pytest.raises(ValueError, match=r"passes of frames 2 are missing"):
        Clip([1, 3], [1, 3], scene.passes, cameras, **options)
    with pytest.raises(ValueError, match=r"cameras of frames 2 are missing"):
        Clip([1, 3], [1, 2, 3], scene.passes, {1: cameras[1], 3: cameras[3]}, **options)


def test_passes_of_another_size_are_refused(scene):
    """The message names both sizes."""
    clip = clip_of(scene, FRAMES, reader=demo_scene(48, 32).passes)
    with pytest.raises(ValueError, match="48x32 px, the clip is 96x64 px"):
        clip.field(0, 1)
