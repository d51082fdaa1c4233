"""Laws of the rigid shortcut: exact where matrices and vectors agree, and never taken where they do not."""

from dataclasses import replace

import numpy as np
import pytest

from diffsynth_blender.motion.rigid import RigidSteps
from tests.reference.clips import clip_of
from tests.reference.crowd import crowded_scene
from tests.reference.scene import Rectangle, Scene, box, demo_scene, lens, move, sky_waves, turn, waves

WIDTH, HEIGHT = 96, 64
FRAMES = range(1, 12)


def both_fields(scene: Scene, target: int, source: int, **options) -> tuple[np.ndarray, np.ndarray]:
    """Return the field with the scene's matrices and the one without."""
    objects = options.pop("objects", scene.objects)
    with_matrices = clip_of(scene, FRAMES, objects=objects, **options).field(target, source)
    return with_matrices, clip_of(scene, FRAMES, **options).field(target, source)


def errors(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Return the position errors [px] of what is visible in both."""
    both = (found[..., 2] > 0) & (true[..., 2] > 0)
    return np.linalg.norm(found[both][:, :2] - true[both][:, :2], axis=-1)


def shift(projection: np.ndarray, x: float, y: float) -> np.ndarray:
    """Return a projection with its lens shifted."""
    shifted = projection.copy()
    shifted[:2, 2] = x, y
    return shifted


def card_scene(card: Rectangle, *more: Rectangle, **options) -> Scene:
    """Return cards before a wall, seen by a camera at rest."""
    wall = Rectangle(1, (60.0, 60.0), lambda frame: move(z=-8.0), waves(1))
    return Scene(WIDTH, HEIGHT, (wall, card, *more), lambda frame: np.eye(4), lens(WIDTH, HEIGHT), sky_waves, **options)


@pytest.mark.parametrize(
    "projection",
    [lens(WIDTH, HEIGHT), shift(lens(WIDTH, HEIGHT, 2.5), 0.3, -0.2), box(WIDTH, HEIGHT, 2.5)],
    ids=["perspective", "shifted", "orthographic"],
)
@pytest.mark.parametrize("sample_offset", [(0.0, 0.0), (-0.03, 0.24)])
@pytest.mark.parametrize(("target", "source"), [(0, 10), (10, 0), (4, 5)])
def test_the_shortcut_is_the_closed_form(projection, sample_offset, target, source):
    """For every kind of lens and sample, rigid motion is exact over any number of steps."""
    scene = replace(demo_scene(WIDTH, HEIGHT, sample_offset=sample_offset), projection=projection)
    found = clip_of(scene, FRAMES, objects=scene.objects).field(target, source)
    true = scene.field(target + 1, source + 1)
    foreground = scene.passes(target + 1).object_id != 0
    error = errors(found[foreground], true[foreground])
    assert error.size > 1000
    assert error.max() < 1e-3


def test_what_was_hidden_in_between_is_found_again():
    """A card passes before another: with matrices its points come back, by composition none does."""
    back = Rectangle(2, (0.6, 0.5), lambda frame: move(0.1, 0.0, -5.0) @ turn("z", 0.03 * frame), waves(2))
    front = Rectangle(3, (0.6, 0.9), lambda frame: move(-1.6 + 0.3 * frame, 0.0, -3.5), waves(3))
    scene = card_scene(back, front)
    true = scene.field(1, 11)
    on_card = (scene.passes(1).object_id == 2) & (true[..., 2] > 0)
    hidden = np.any([scene.field(1, frame)[..., 2] == 0 for frame in range(2, 11)], axis=0) & on_card
    assert hidden.sum() > 0.8 * on_card.sum() > 100
    shortcut, composed = both_fields(scene, 0, 10)
    assert (shortcut[hidden][:, 2] > 0).mean() > 0.97
    assert errors(shortcut[hidden], true[hidden]).max() < 1e-3
    assert not composed[hidden][:, 2].any()


def test_what_leaves_the_frame_and_comes_back_is_found_again():
    """A card swings out of the picture and in again."""
    swing = Rectangle(2, (0.5, 0.5), lambda frame: move(1.0 + 3.0 * np.sin(0.3 * (frame - 1)), 0.0, -5.0), waves(2))
    scene = card_scene(swing)
    assert not (scene.passes(6).object_id == 2).any()
    shortcut, composed = both_fields(scene, 0, 10)
    card = (scene.passes(1).object_id == 2) & (scene.field(1, 11)[..., 2] > 0)
    assert card.sum() > 50
    assert (shortcut[card][:, 2] > 0).mean() > 0.97 and not composed[card][:, 2].any()


@pytest.mark.parametrize("rate", [0.05, 0.004, 0.002])
def test_a_deforming_surface_is_never_moved_by_its_matrix(rate):
    """A card with a matrix that also stretches: fast enough to fail at one step, or slowly over all of them."""
    card = Rectangle(
        2,
        (0.8, 0.6),
        lambda frame: move(-0.2 + 0.04 * frame, 0.0, -4.0),
        waves(2),
        lambda frame: (1.0 + rate * frame, 1.0),
    )
    scene = card_scene(card)
    pairs = [(0, 10), (10, 0)] + [(4, 5), (5, 4)] * (rate > 0.01)
    for target, source in pairs:
        shortcut, composed = both_fields(scene, target, source)
        on_card = scene.passes(target + 1).object_id == 2
        np.testing.assert_array_equal(shortcut[on_card], composed[on_card])
        true = scene.field(target + 1, source + 1)
        assert errors(shortcut[on_card], true[on_card]).mean() < 0.1


def test_the_smallest_motion_that_passes_for_rigid_stays_small():
    """However slowly a surface deforms, the shortcut leads less than a third of a pixel astray."""
    for rate in (1e-4, 3e-4, 1e-3, 2e-3):
        card = Rectangle(
            2, (0.8, 0.6), lambda frame: move(0, 0, -4), waves(2), lambda frame, rate=rate: (1.0 + rate * frame, 1.0)
        )
        scene = card_scene(card)
        found = clip_of(scene, FRAMES, objects=scene.objects).field(0, 10)
        assert errors(found, scene.field(1, 11)).max() < 0.33


def test_what_shares_an_id_is_not_moved_by_the_others_matrix():
    """A small copy of a large object, with the same id and a motion of its own: each keeps its vectors."""
    large = Rectangle(2, (1.2, 1.0), lambda frame: move(-0.8 + 0.02 * frame, 0.0, -4.0), waves(2))
    small = Rectangle(2, (0.12, 0.12), lambda frame: move(0.9, -0.5 + 0.06 * frame, -4.0), waves(3))
    scene = card_scene(large, small)
    share = (scene.cast(scene.grid(), 4)[1] == 2).sum() / (scene.passes(4).object_id == 2).sum()
    assert 0.0 < share < 0.05, "few enough for the object as a whole to pass as rigid"
    known = {2: large.pose, 1: scene.rectangles[0].pose}
    found, _ = both_fields(scene, 3, 6, objects=lambda frame: {id: pose(frame) for id, pose in known.items()})
    true = scene.field(4, 7)
    on_card = scene.passes(4).object_id == 2
    assert errors(found[on_card], true[on_card]).max() < 0.1
    copies = (scene.cast(scene.grid(), 4)[1] == 2).reshape(HEIGHT, WIDTH)
    assert (found[copies][:, 2] > 0).mean() > 0.5


def test_an_object_without_a_matrix_at_some_frame_is_composed():
    """Missing in one frame on the way, the object's shape may have changed there: no shortcut past it."""
    scene = demo_scene(WIDTH, HEIGHT)

    def objects(frame: int) -> dict[int, np.ndarray]:
        return {id: matrix for id, matrix in scene.objects(frame).items() if (id, frame) != (-42, 5)}

    found, composed = both_fields(scene, 0, 8, objects=objects)
    card, ground = (scene.passes(1).object_id == id for id in (-42, 17))
    np.testing.assert_array_equal(found[card], composed[card])
    assert (found[ground] != composed[ground]).any()
    # Between frames that both have it, the object goes straight.
    shortcut = clip_of(scene, FRAMES, objects=scene.objects).field(5, 9)
    later = scene.passes(6).object_id == -42
    np.testing.assert_array_equal(clip_of(scene, FRAMES, objects=objects).field(5, 9)[later], shortcut[later])


@pytest.mark.parametrize("matrices", [{}, {-42: np.diag([1.0, 1.0, 0.0, 1.0])}, {12345: np.eye(4)}])
def test_matrices_of_no_use_change_nothing(matrices):
    """No matrices, one that squashes its object flat, one of an object that is never seen."""
    scene = demo_scene(WIDTH, HEIGHT)
    found, composed = both_fields(scene, 1, 7, objects=lambda frame: matrices)
    np.testing.assert_array_equal(found, composed)


def test_wrong_matrices_are_not_believed():
    """Matrices of another moment contradict the vectors, and are left alone."""
    scene = demo_scene(WIDTH, HEIGHT)
    found, composed = both_fields(scene, 1, 7, objects=lambda frame: scene.objects(2 * frame))
    moving = np.isin(scene.passes(2).object_id, (-42, 99))
    np.testing.assert_array_equal(found[moving], composed[moving])


def test_a_static_shot_does_not_move_at_all():
    """With nothing moving every field is the identity, bit for bit, also where a matrix cannot be inverted exactly."""
    still = demo_scene(48, 32, speed=0.0)
    clip = clip_of(still, range(1, 5), objects=still.objects)
    np.testing.assert_array_equal(clip.field(0, 3), clip.field(2, 2))


def test_the_back_of_a_card_is_another_side():
    """A card that has turned over shows its back: nothing of its front is visible."""
    card = Rectangle(2, (0.8, 0.6), lambda frame: move(0, 0, -4) @ turn("y", 0.3 * (frame - 1)), waves(2))
    scene = card_scene(card)
    found = clip_of(scene, FRAMES, objects=scene.objects).field(0, 10)
    on_card = scene.passes(1).object_id == 2
    assert not found[on_card][:, 2].any()


def test_nothing_is_visible_across_a_cut():
    """Matrices would lead across, but vectors do not vouch for them there."""
    one, other = demo_scene(48, 32), demo_scene(48, 32)
    other = replace(other, camera_to_world=lambda frame: move(3.0, 0.5, -9.0) @ turn("y", 2.0))

    def shot(frame: int) -> Scene:
        return one if frame < 4 else other

    clip = clip_of(one, range(1, 7), reader=lambda frame: shot(frame).passes(frame), objects=one.objects)
    clip._pass_frames.cameras = {frame: shot(frame).camera(frame) for frame in range(1, 7)}
    for target, source in ((2, 3), (3, 2), (0, 5)):
        assert not clip.field(target, source)[..., 2].any()
    assert clip.field(1, 2)[..., 2].mean() > 0.8


def test_the_result_does_not_depend_on_threads_or_on_what_was_asked_before():
    """One thread or five, one source or a window of them, few frames in memory or all: the same bits."""
    scene = crowded_scene(96, 64)
    expected = clip_of(scene, FRAMES, objects=scene.objects, threads=1).field(2, 8)
    np.testing.assert_array_equal(clip_of(scene, FRAMES, objects=scene.objects, threads=5).field(2, 8), expected)
    window = clip_of(scene, FRAMES, objects=scene.objects, keep=2)
    traces = dict(window.traces(2, range(11)))
    np.testing.assert_array_equal(traces[8].numpy()[..., [0, 1, 3]], expected)


def test_files_are_read_once_and_memory_is_bounded():
    """Sweeping a window reads each frame's matrices once, judges each step once, and holds few frames."""
    scene = crowded_scene(48, 32)
    reads: list[int] = []

    def objects(frame: int) -> dict[int, np.ndarray]:
        reads.append(frame)
        return scene.objects(frame)

    clip = clip_of(scene, FRAMES, objects=objects, keep=2)
    clip.reserve(2)
    judged: list[int] = []
    judge = RigidSteps._judge
    clip._rigid._judge = lambda frame: (judged.append(frame), judge(clip._rigid, frame))[1]
    for target in range(len(FRAMES)):
        clip.traces(target, [s for s in range(target - 2, target + 3) if 0 <= s < len(FRAMES)])
        assert len(clip._pass_frames._held) <= 6
    assert sorted(reads) == list(FRAMES)
    assert sorted(judged) == list(FRAMES)[:-1]
