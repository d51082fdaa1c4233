"""Laws of the controls: one range for the clip, normals as the camera sees them."""

import numpy as np

from diffsynth_blender.passes import controls
from diffsynth_blender.passes.controls import DepthRange, DepthRangeFinder, depth_control, normal_control
from tests.reference.scene import BACKGROUND_DEPTH, demo_scene, turn


def depth_range(depths, background_depth: float) -> DepthRange:
    """The range over a whole clip."""
    finder = DepthRangeFinder(background_depth)
    for depth in depths:
        finder.add(depth)
    return finder.range()


def test_near_is_white_far_is_dark_background_is_black():
    """Inverse depth rises from 0 at the far end to 1 at the near end."""
    depth = np.float32([[1.0, 2.0, 4.0, 1e10]])
    control = depth_control(depth, DepthRange(0.25, 1.0), BACKGROUND_DEPTH)
    np.testing.assert_allclose(control[0, :, 0], [1.0, 1.0 / 3.0, 0.0, 0.0], atol=1e-6)
    assert control.shape == (1, 4, 3) and control.dtype == np.float32
    assert (control == control[..., :1]).all()


def test_a_point_that_keeps_its_depth_keeps_its_value():
    """The range belongs to the clip: other things that come and go do not change it within a clip."""
    depths = [np.full((8, 8), 5.0, np.float32) for _ in range(3)]
    depths[1][:4] = 1.0
    clip = depth_range(depths, BACKGROUND_DEPTH)
    values = [depth_control(depth, clip, BACKGROUND_DEPTH)[7, 7, 0] for depth in depths]
    assert len(set(values)) == 1


def test_the_range_is_the_quantiles_of_the_whole_clip():
    """Half a percent at either end is clipped; background does not count."""
    rng = np.random.default_rng(0)
    depths = rng.uniform(1.0, 9.0, (5, 40, 30)).astype(np.float32)
    depths[:, :10] = 1e10
    clip = depth_range(iter(depths), BACKGROUND_DEPTH)
    low, high = np.quantile(1.0 / depths[depths < 1e9], [0.005, 0.995])
    np.testing.assert_allclose([clip.low, clip.high], [low, high], rtol=1e-6)


def test_a_bounded_sample_finds_nearly_the_same_range(monkeypatch):
    """Memory is bounded, the range hardly moves, and it is the same every time."""
    rng = np.random.default_rng(0)
    depths = rng.uniform(1.0, 9.0, (20, 64, 64)).astype(np.float32)
    whole = depth_range(depths, BACKGROUND_DEPTH)
    monkeypatch.setattr(controls, "MAX_SAMPLES", 10_000)
    sampled = depth_range(depths, BACKGROUND_DEPTH)
    np.testing.assert_allclose([sampled.low, sampled.high], [whole.low, whole.high], rtol=0.02)
    assert sampled == depth_range(depths, BACKGROUND_DEPTH)


def test_flat_and_empty_clips_have_controls():
    """One single depth is white; background alone is black; neither divides by zero."""
    flat, empty = np.full((4, 4), 3.0, np.float32), np.full((4, 4), 1e10, np.float32)
    assert (depth_control(flat, depth_range([flat], BACKGROUND_DEPTH), BACKGROUND_DEPTH) == 1.0).all()
    assert (depth_control(empty, depth_range([empty], BACKGROUND_DEPTH), BACKGROUND_DEPTH) == 0.0).all()


def test_normals_are_seen_from_the_camera():
    """Towards the camera is blue, to its right red, up green, background grey."""
    camera = np.linalg.inv(turn("y", np.pi / 2))  # looks along -X
    depth = np.float32([[1.0, 1.0, 1.0, 1e10]])
    normal = np.float32([[[1, 0, 0], [0, 0, -1], [0, 1, 0], [0, 0, 0]]])
    control = normal_control(normal, depth, camera, BACKGROUND_DEPTH)
    wanted = [[0.5, 0.5, 1.0], [1.0, 0.5, 0.5], [0.5, 1.0, 0.5], [0.5, 0.5, 0.5]]
    np.testing.assert_allclose(control[0], wanted, atol=1e-6)


def test_partly_covered_normals_are_as_bright_as_whole_ones():
    """The pass is premultiplied by coverage; the control is not."""
    passes = demo_scene(24, 16).passes(1)
    camera = demo_scene(24, 16).camera(1).world_to_camera
    whole = normal_control(passes.normal, passes.depth, camera, BACKGROUND_DEPTH)
    half = normal_control(passes.normal * 0.3, passes.depth, camera, BACKGROUND_DEPTH)
    np.testing.assert_allclose(half, whole, atol=1e-6)
    length = np.linalg.norm(whole * 2.0 - 1.0, axis=-1)
    np.testing.assert_allclose(length[passes.depth < 1e9], 1.0, atol=1e-5)


def test_bae_colours_mirror_red():
    """Red is left instead of right, and the background faces the camera."""
    scene = demo_scene(32, 24)
    passes = scene.passes(1)
    camera = scene.camera(1).world_to_camera
    ours = normal_control(passes.normal, passes.depth, camera, BACKGROUND_DEPTH)
    bae = normal_control(passes.normal, passes.depth, camera, BACKGROUND_DEPTH, convention="bae")
    seen = passes.depth < BACKGROUND_DEPTH
    np.testing.assert_allclose(bae[seen][:, 0], 1.0 - ours[seen][:, 0], atol=1e-6)
    np.testing.assert_allclose(bae[seen][:, 1:], ours[seen][:, 1:], atol=1e-6)
    assert (bae[~seen] == (0.5, 0.5, 1.0)).all() and (~seen).any()
