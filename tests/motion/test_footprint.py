"""Laws of the footprint: how finely a source resolves what the target shows, against the closed form."""

import numpy as np
import pytest
import warp as wp

from diffsynth_blender.motion.footprint import LEAST_FOOTPRINT, footprint
from diffsynth_blender.motion.kernels import Surfaces
from tests.reference.clips import clip_of
from tests.reference.scene import Rectangle, Scene, demo_scene, lens, move, sky_waves, turn, waves

WIDTH, HEIGHT = 96, 64


@wp.kernel
def write_footprint(
    # In:
    first_row: int,
    target: Surfaces,
    trace_in: wp.array2d[wp.vec4],
    # Out:
    footprint_out: wp.array2d[float],
) -> None:
    row, x = wp.tid()
    y = first_row + row
    footprint_out[y, x] = footprint(trace_in, target, x, y)


def footprints(clip, target: int, source: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the footprint of every pixel, (H, W), and what is visible."""
    ((_, trace),) = clip.traces(target, [source])
    out = wp.empty(trace.shape, dtype=float, device=clip.bands.device)
    clip.bands.launch(write_footprint, trace.shape, [clip.surfaces(target), trace], [out])
    return out.numpy(), trace.numpy()[..., 3] > 0


def wall(pose, width: int = WIDTH, height: int = HEIGHT) -> Scene:
    """A wall that fills the frame at frame 1 and moves by `pose`."""
    card = Rectangle(5, (60.0, 60.0), pose, waves(1))
    return Scene(width, height, (card,), lambda frame: np.eye(4), lens(width, height), sky_waves)


def true_footprint(scene: Scene, target: int, source: int) -> np.ndarray:
    """Smallest singular value of the true field's Jacobian, by small steps within each pixel, (H, W)."""
    columns = []
    for step in (np.array([0.02, 0.0]), np.array([0.0, 0.02])):
        ends = []
        for sign in (-1, 1):
            _, hit, local = scene.cast(scene.grid() + sign * step, target)
            ends.append(scene.project(scene.world(hit, local, source), source))
        columns.append((ends[1] - ends[0]) / 0.04)
    jacobian = np.stack(columns, axis=-1)
    return np.linalg.svd(jacobian, compute_uv=False)[:, 1].reshape(scene.height, scene.width)


@pytest.mark.parametrize(("depths", "expected"), [((-4.0, -8.0), 0.5), ((-6.25, -5.0), 1.0), ((-5.0, -6.25), 0.8)])
def test_distance_scales_it(depths, expected):
    """A wall twice as far away has half the pixels; one that is nearer resolves no more than all."""
    scene = wall(lambda frame: move(z=depths[int(frame) - 1] if frame in (1, 2) else depths[0]))
    found, visible = footprints(clip_of(scene, (1, 2)), 0, 1)
    assert visible.mean() > 0.2
    np.testing.assert_allclose(found[visible], expected, atol=2e-3)


@pytest.mark.parametrize("angle", [0.5, 1.0, 1.4])
@pytest.mark.parametrize("spin", [0.0, 0.6])
def test_a_grazing_view_lowers_it_as_in_the_closed_form(angle, spin):
    """A wall that turns away is worth what the closed form says, whatever the direction of the squeeze."""
    scene = wall(lambda frame: move(z=-6.0) @ turn("z", spin) @ turn("y", angle * (frame - 1)))
    found, visible = footprints(clip_of(scene, (1, 2), objects=scene.objects), 0, 1)
    true = np.minimum(true_footprint(scene, 1, 2), 1.0)
    assert visible.sum() > 200
    error = np.abs(found - true)[visible]
    # Differences of a pixel to either side see a little of the curvature of the field.
    assert error.mean() < 0.01 and np.quantile(error, 0.95) < 0.06
    assert np.median(true[visible]) < 0.95


def test_a_field_that_only_shifts_or_turns_loses_nothing():
    """A shot at rest has 1 exactly; a picture that is turned upright on itself has 1 to within rounding."""
    clip = clip_of(demo_scene(WIDTH, HEIGHT, speed=0.0), range(1, 4))
    for source in (0, 1, 2):
        assert (footprints(clip, 1, source)[0] == 1.0).all()
    spun = wall(lambda frame: move(z=-6.0) @ turn("z", 0.3 * frame))
    found, visible = footprints(clip_of(spun, (1, 2)), 0, 1)
    assert visible.mean() > 0.7
    np.testing.assert_allclose(found[visible], 1.0, atol=1e-3)


def test_other_surfaces_have_no_say():
    """Beside the silhouette of a card that moves against the wall, neither is taken for squeezed or torn."""
    card = Rectangle(7, (0.8, 0.6), lambda frame: move(-0.5 + 0.4 * frame, 0.0, -4.0), waves(2))
    scene = wall(lambda frame: move(z=-6.0))
    scene = Scene(WIDTH, HEIGHT, (*scene.rectangles, card), scene.camera_to_world, scene.projection, sky_waves)
    found, visible = footprints(clip_of(scene, (1, 2)), 0, 1)
    assert visible.mean() < 0.99
    np.testing.assert_allclose(found[visible], 1.0, atol=1e-3)


def test_a_thin_rod_is_judged_along_its_length():
    """One pixel wide, it has neighbours up and down only: half as long in the source, it counts half."""
    rod = Rectangle(
        9, (0.02, 2.0), lambda frame: move(0.03, 0.0, -4.0), waves(3), lambda frame: (1.0, 1.0 if frame < 2 else 0.5)
    )
    scene = Scene(WIDTH, HEIGHT, (rod,), lambda frame: np.eye(4), lens(WIDTH, HEIGHT), sky_waves)
    found, visible = footprints(clip_of(scene, (1, 2)), 0, 1)
    on_rod = visible & (scene.passes(1).object_id == 9)
    assert on_rod.any(axis=1).sum() > 30 and on_rod.sum(axis=1).max() == 1
    np.testing.assert_allclose(found[on_rod], 0.5, atol=0.02)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 7), (9, 1)])
def test_any_size_works_and_stays_in_range(width, height):
    """A frame of one pixel has no neighbours, and counts as resolved."""
    found, _ = footprints(clip_of(demo_scene(width, height), range(1, 4)), 0, 2)
    assert (found >= LEAST_FOOTPRINT).all() and (found <= 1.0).all()
    if width == height == 1:
        assert found[0, 0] == 1.0
