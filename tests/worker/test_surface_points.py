"""Laws of surface coordinates, against scenes whose every point is known in closed form."""

from dataclasses import replace

import numpy as np
import pytest

from diffsynth_blender.diffusion.noise_surface import latent_cells
from diffsynth_blender.worker.surface_carry import ID_MASK
from diffsynth_blender.worker.surface_points import SurfaceTracker, surface_points
from tests.e2e.job_folder import OBJECTS, file_id, write_job_folder
from tests.reference.clips import clip_of
from tests.reference.crowd import crowded_scene
from tests.reference.scene import (
    BACKGROUND_DEPTH,
    Ball,
    Rectangle,
    Scene,
    box,
    demo_scene,
    lens,
    move,
    sky_waves,
    turn,
    waves,
)

WIDTH, HEIGHT = 96, 64
FRAMES = range(1, 12)


def points_of(scene, frames=FRAMES, *, objects=None, reader=None):
    """The surface points of the frames asked for; without `objects` no object has a matrix."""
    cameras = {frame: scene.camera(frame) for frame in FRAMES}
    reader = reader or scene.passes
    clip = clip_of(scene, FRAMES, objects=objects, reader=reader)
    tracker = SurfaceTracker(
        clip,
        reader,
        cameras,
        background_depth=BACKGROUND_DEPTH,
        sample_offset=scene.sample_offset,
        objects=objects,
    )
    return list(tracker.points(frames))


def truth(scene, frame):
    """Ids (H, W), and the points on the shapes as they are without any stretch (H, W, 3)."""
    _, hit, local = scene.cast(scene.grid(), frame)
    ids = np.array([*[shape.object_id for shape in scene.rectangles], 0])[hit]
    return ids.reshape(scene.height, scene.width), local.reshape(scene.height, scene.width, 3)


def wall_and(*shapes, projection=None, camera=lambda frame: np.eye(4), width=WIDTH, height=HEIGHT):
    wall = Rectangle(1000, (60.0, 60.0), lambda frame: move(z=-8.0), waves(1))
    return Scene(
        width, height, (wall, *shapes), camera, lens(width, height) if projection is None else projection, sky_waves
    )


@pytest.mark.parametrize("sample_offset", [(0.0, 0.0), (-0.03, 0.24)])
def test_rigid_objects_have_coordinates_of_their_own(sample_offset):
    """A point of an object with a believable matrix has the same coordinates in every frame, hidden between or not."""
    scene = demo_scene(WIDTH, HEIGHT, sample_offset=sample_offset)
    for frame, points in zip(FRAMES, points_of(scene, objects=scene.objects), strict=True):
        ids, local = truth(scene, frame)
        seen = ids != 0
        np.testing.assert_array_equal(points.object, ids)
        np.testing.assert_allclose(points.position[seen], local[seen], atol=1e-4)


def test_coordinates_have_the_worlds_scale():
    """A scaled object's coordinates count in the world's units, so that all objects have cells of one size."""
    ball = Ball(
        5, lambda frame: move(0.1 * frame - 0.5, 0, -4) @ turn("y", 0.1) @ np.diag([0.9, 0.6, 0.3, 1]), waves(4)
    )
    scene = wall_and(ball)
    for frame, points in zip(FRAMES, points_of(scene, objects=scene.objects), strict=True):
        ids, local = truth(scene, frame)
        mine = ids == 5
        assert mine.sum() > 100
        np.testing.assert_allclose(points.position[mine], local[mine] * (0.9, 0.6, 0.3), atol=1e-5)


@pytest.mark.parametrize("projection", [lens(WIDTH, HEIGHT), lens(WIDTH, HEIGHT, 3.0), box(WIDTH, HEIGHT, 2.5)])
@pytest.mark.parametrize("slant", [0.0, 0.9])
def test_the_footprint_is_the_root_of_a_pixels_area(projection, slant):
    """A pixel is as large as the area between it and the next ones on the wall that it shows, straight on or not."""
    card = Rectangle(2, (9.0, 9.0), lambda frame: move(0, 0, -5) @ turn("y", slant), waves(2))
    (points, *_) = points_of(wall_and(card, projection=projection))
    across = (points.position[1:-1, 2:] - points.position[1:-1, :-2]) / 2
    down = (points.position[2:, 1:-1] - points.position[:-2, 1:-1]) / 2
    area = np.linalg.norm(np.cross(across, down), axis=-1)
    inside = points.object[1:-1, 2:] == points.object[1:-1, :-2]
    assert inside.mean() > 0.9
    np.testing.assert_allclose(points.footprint[1:-1, 1:-1][inside] ** 2, area[inside], rtol=0.01)


def test_the_background_is_a_direction():
    """The sky's points are where the rays through it lead, whichever way the camera turns and moves."""
    scene = demo_scene(WIDTH, HEIGHT)
    for frame, points in zip(FRAMES, points_of(scene), strict=True):
        sky = truth(scene, frame)[0] == 0
        rays = scene.directions(scene.grid(), frame)
        rays = (rays / np.linalg.norm(rays, axis=-1, keepdims=True)).reshape(HEIGHT, WIDTH, 3)
        np.testing.assert_allclose(points.position[sky], rays[sky], atol=1e-9)
        assert not points.object[sky].any()
        across, down = (np.linalg.norm(np.diff(rays, axis=axis), axis=-1) for axis in (1, 0))
        size = np.sqrt(across[1:] * down[:, 1:])
        np.testing.assert_allclose(points.footprint[1:, 1:][sky[1:, 1:]], size[sky[1:, 1:]], rtol=0.02)


def test_the_background_of_an_orthographic_camera_stays_on_the_screen():
    """Its rays are parallel: there is one direction of the sky for all pixels."""
    scene = replace(demo_scene(WIDTH, HEIGHT), projection=box(WIDTH, HEIGHT, 2.5))
    first, *_, last = points_of(scene)
    both = (truth(scene, 1)[0] == 0) & (truth(scene, 11)[0] == 0)
    assert both.sum() > 500
    np.testing.assert_array_equal(first.position[both], last.position[both])


@pytest.mark.parametrize("with_matrix", [False, True])
def test_a_deforming_surface_carries_its_coordinates_along(with_matrix):
    """A card that moves, turns and stretches: its points keep the first frame's coordinates, to parts of a pixel.

    At a rim that grows nothing can be read beyond the last pixel; what is guessed there is off by up to a pixel or two.
    """
    card = Rectangle(
        2,
        (0.9, 0.7),
        lambda frame: move(-0.3 + 0.05 * frame, 0.0, -4.0) @ turn("z", 0.02 * frame),
        waves(2),
        lambda frame: (1.0 + 0.03 * (frame - 1), 1.0 - 0.01 * (frame - 1)),
    )
    scene = wall_and(card)
    objects = scene.objects if with_matrix else lambda frame: {1000: move(z=-8.0)}
    found = points_of(scene, objects=objects)
    start = card.pose(1)
    for frame, points in zip(FRAMES, found, strict=True):
        ids, local = truth(scene, frame)
        mine = ids == 2
        kept = mine & (points.object == (2 if with_matrix else 2 + (1 << 32)))
        expected = local[kept] if with_matrix else local[kept] @ start[:3, :3].T + start[:3, 3]
        error = np.linalg.norm(points.position[kept] - expected, axis=-1) / points.footprint[kept]
        assert kept.sum() > 0.9 * mine.sum()
        assert np.median(error) < 0.01 and np.percentile(error, 90) < 0.2 and np.percentile(error, 99) < 0.8
        assert np.isin(points.object[mine] & ID_MASK, [2]).all()


def test_wrong_matrices_are_not_believed():
    """Matrices of another moment contradict the vectors: coordinates are carried, as without any."""
    card = Rectangle(2, (0.9, 0.7), lambda frame: move(-0.5 + 0.1 * frame, 0.0, -4.0), waves(2))
    scene = wall_and(card)
    found = points_of(scene, objects=lambda frame: scene.objects(3 * frame))
    for frame, points in zip(FRAMES, found, strict=True):
        ids, local = truth(scene, frame)
        kept = (ids == 2) & (points.object == 2)
        # In the matrix's axes of the first frame, which is off by two frames.
        error = np.linalg.norm(points.position[kept] - local[kept] + (0.2, 0, 0), axis=-1) / points.footprint[kept]
        assert kept.sum() > 0.9 * (ids == 2).sum() and error.max() < 1.0 and np.percentile(error, 90) < 0.01


def test_what_shares_an_id_carries_coordinates_of_its_own():
    """A small copy with the same id moves by itself: the large one's matrix does not lead it."""
    large = Rectangle(2, (1.2, 1.0), lambda frame: move(-0.8 + 0.02 * frame, 0.0, -4.0), waves(2))
    small = Rectangle(2, (0.12, 0.12), lambda frame: move(0.9, -0.5 + 0.06 * frame, -4.0), waves(3))
    scene = wall_and(large, small)
    found = points_of(scene, objects=lambda frame: {2: large.pose(frame), 1000: move(z=-8.0)})
    before, after = ((scene.cast(scene.grid(), frame)[1] == 2).reshape(HEIGHT, WIDTH) for frame in (2, 5))
    np.testing.assert_allclose(
        np.median(found[1].position[before], axis=0), np.median(found[4].position[after], axis=0), atol=0.03
    )


def test_what_comes_into_view_has_new_coordinates():
    """A card uncovers a wall without a matrix: no coordinates that another point had, and the others keep theirs."""
    front = Rectangle(3, (0.5, 2.0), lambda frame: move(-1.0 + 0.15 * frame, 0.0, -3.5), waves(3))
    scene = wall_and(front)
    first, *_, last = points_of(scene)
    wall_first, wall_last = (truth(scene, frame)[0] == 1000 for frame in (1, 11))
    uncovered = wall_last & ~wall_first
    assert uncovered.sum() > 200 and (last.object[uncovered] >> 32 > 1).all()
    stayed = wall_last & wall_first & (scene.field(11, 1)[..., 2] > 0)
    passed = np.any([truth(scene, frame)[0] == 3 for frame in FRAMES], axis=0)
    kept = stayed & ~passed
    assert kept.sum() > 500
    assert (last.object[kept] == first.object[kept]).mean() > 0.98
    same = kept & (last.object == first.object)
    np.testing.assert_allclose(last.position[same], first.position[same], atol=1e-4)


def test_a_static_shot_keeps_its_coordinates():
    """Nothing moves: every frame's coordinates are the first's, but for pixels at rims that motion cannot vouch for."""
    scene = demo_scene(WIDTH, HEIGHT, speed=0.0)
    for objects, share in ((scene.objects, 1.0), (None, 0.99)):
        first, *_, last = points_of(scene, objects=objects)
        same = (first.position == last.position).all(-1) & (first.object == last.object)
        assert same.mean() >= share


def test_a_part_of_a_shot_is_the_same_as_in_the_whole():
    """Coordinates are counted from the shot's first frame, whichever frames are asked for, and asked again."""
    scene = crowded_scene(WIDTH, HEIGHT)
    whole = points_of(scene)
    for part in ([4, 5], [9], [1, 11]):
        for frame, points in zip(part, points_of(scene, part), strict=True):
            np.testing.assert_array_equal(points.position, whole[frame - 1].position)
            np.testing.assert_array_equal(points.object, whole[frame - 1].object)


def test_a_jobs_files_give_the_same(tmp_path):
    """Read from a job folder, with or without its matrices: ids are those in the files, coordinates the scene's."""
    scene = demo_scene(64, 48)
    job = write_job_folder(tmp_path, frames=4, scene=scene)
    found = list(surface_points(job, tmp_path, (2, 4), "cpu")())
    expected = points_of(scene, (2, 4), objects=scene.objects)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.position, other.position, atol=1e-5)
        for id in OBJECTS:
            bits = file_id(id)
            np.testing.assert_array_equal(one.object == bits - (bits >> 31 << 32), other.object == id)
    again = surface_points(job, tmp_path, (4,), "cpu")
    for _ in range(2):
        (last,) = again()
        np.testing.assert_array_equal(last.position, found[1].position)
    bare = replace(job, shot=replace(job.shot, objects=None))
    assert (next(surface_points(bare, tmp_path, (2,), "cpu")()).object >> 32).max() > 0


@pytest.mark.parametrize("with_matrices", [True, False])
def test_noise_follows_a_crowd(with_matrices):
    """Over five and over ten frames, noise is like the first frame's along the motion; the screen's noise is not.

    Latent pixels of 4 picture pixels; each is compared with the one that its middle comes from.
    """
    factor, frames = 4, (1, 6, 11)
    scene = crowded_scene(192, 128)
    found = points_of(scene, frames, objects=scene.objects if with_matrices else None)
    noise = [latent_cells(points, factor).noise(8, 0, 0) for points in found]
    assert all(abs(one.std() - 1) < 0.02 for one in noise)
    for frame, later in zip(frames[1:], noise[1:], strict=True):
        field = scene.field(frame, 1)[2::factor, 2::factor]
        column, row = (((field[..., i] + 0.5) // factor).astype(int) for i in (0, 1))
        way = np.maximum(np.abs(column - np.arange(48)), np.abs(row - np.arange(32)[:, None]))
        moved = (field[..., 2] > 0) & (way > 1)
        first = noise[0][:, row.clip(0, 31), column.clip(0, 47)]
        along = np.corrcoef(first[:, moved].ravel(), later[:, moved].ravel())[0, 1]
        on_screen = np.corrcoef(noise[0][:, moved].ravel(), later[:, moved].ravel())[0, 1]
        assert moved.sum() > 150 and along > 0.35 and abs(on_screen) < 0.05
