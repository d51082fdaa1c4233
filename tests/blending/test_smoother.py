"""Laws of the window smoother."""

import itertools

import numpy as np
import pytest
import warp as wp

from diffsynth_blender.blending.links import LINK_DTYPE, Link
from diffsynth_blender.blending.smoother import Smoother
from diffsynth_blender.blending.tree import TreeBlender
from tests.reference import blend
from tests.reference.clips import clip_of, pictures_of
from tests.reference.scene import Rectangle, Scene, demo_scene, lens, move, waves

OPERATORS = ["robust", "mean"]
BLENDS = [("fast", "mean"), ("fast", "robust"), ("balanced", "mean"), ("balanced", "robust"), ("accurate", "robust")]


def smoother_of(clip, guide, **options) -> Smoother:
    """Return a smoother, balanced unless said otherwise; the guide may be an array."""
    return Smoother(clip, guide if callable(guide) else guide.__getitem__, **{"mode": "balanced", **options})


@pytest.fixture(scope="module")
def shot():
    """A moving shot: scene, clip, guide frames, and frames with flicker."""
    scene = demo_scene(64, 48)
    frames = range(1, 8)
    guide = pictures_of(scene, frames, samples=2)
    rng = np.random.default_rng(0)
    flicker = rng.normal(size=(7, 1, 1, 3)) * 0.05 + rng.normal(size=guide.shape) * 0.02
    return scene, clip_of(scene, frames), guide, np.clip(guide + flicker, 0.0, 1.0).astype(np.float32)


@pytest.mark.parametrize(("mode", "operator"), BLENDS)
def test_a_window_of_no_frames_is_the_identity(shot, mode, operator):
    """Bit for bit."""
    _, clip, guide, frames = shot
    np.testing.assert_array_equal(
        smoother_of(clip, guide, window=0, mode=mode, operator=operator).smooth(frames), frames
    )


@pytest.mark.parametrize(("mode", "operator"), BLENDS)
def test_a_constant_clip_is_a_fixed_point(shot, mode, operator):
    """A clip of one colour stays that colour bit for bit, whatever moves."""
    _, clip, guide, _ = shot
    constant = np.full_like(guide, (0.1, 0.7, 1.0 / 3.0))
    np.testing.assert_array_equal(
        smoother_of(clip, guide, window=3, mode=mode, operator=operator).smooth(constant), constant
    )


@pytest.mark.parametrize(("mode", "operator"), BLENDS)
def test_a_static_scene_comes_out_as_it_went_in(mode, operator):
    """Nothing moves and all frames are equal: the same bits come out."""
    still = demo_scene(48, 32, speed=0.0)
    frames = np.repeat(np.random.default_rng(0).random((1, 32, 48, 3), np.float32), 5, axis=0)
    smoother = smoother_of(clip_of(still, range(1, 6)), frames, window=2, mode=mode, operator=operator)
    np.testing.assert_array_equal(smoother.smooth(frames), frames)


def test_a_static_scene_with_flicker_becomes_its_mean():
    """Away from the clip's ends the plain mean over everything visible is exactly that."""
    still = demo_scene(48, 32, speed=0.0)
    frames = np.random.default_rng(0).random((5, 32, 48, 3), np.float32)
    smoother = smoother_of(clip_of(still, range(1, 6)), np.zeros_like(frames), window=2, operator="mean")
    np.testing.assert_allclose(smoother.smooth(frames)[2], frames.mean(axis=0), atol=1e-6)


@pytest.mark.parametrize("operator", OPERATORS)
def test_results_stay_in_the_range_of_the_inputs(shot, operator):
    """Weights are positive and sum to one, and the gather does not ring."""
    _, clip, guide, _ = shot
    contrast = (np.random.default_rng(0).random(guide.shape) < 0.5).astype(np.float32)
    smoothed = smoother_of(clip, guide, window=3, operator=operator).smooth(contrast)
    assert smoothed.min() >= 0.0 and smoothed.max() <= 1.0


@pytest.mark.parametrize("operator", OPERATORS)
def test_it_agrees_with_the_slow_reference(operator):
    """The kernels do what the plain Python says, silhouettes and borders included."""
    scene, frames = demo_scene(30, 20, speed=1.5), range(1, 5)
    clip, guide = clip_of(scene, frames), pictures_of(scene, frames)
    styled = np.random.default_rng(0).random(guide.shape, np.float32)
    options = {"window": 2, "operator": operator}
    traces = {}
    for target in range(4):
        for source, trace in clip.traces(target, range(4)):
            traces[target, source] = trace.numpy()
    expected = blend.smooth(
        styled, guide, [scene.passes(f) for f in frames], lambda i, j: traces[i, j], guide_sigma=0.1, **options
    )
    difference = np.abs(smoother_of(clip, guide, repair=False, **options).smooth(styled) - expected).max(axis=-1)
    # A weight that lies on the border between two of its 256 steps may be rounded to either.
    assert np.median(difference) < 1e-6
    assert difference.max() < 3e-3


@pytest.mark.parametrize(("mode", "operator"), BLENDS)
def test_flicker_goes_away(shot, mode, operator):
    """The frames come closer to the steady clip that they flicker around."""
    _, clip, guide, frames = shot
    smoothed = smoother_of(clip, guide, window=3, mode=mode, operator=operator).smooth(frames)
    assert np.mean((smoothed - guide) ** 2) < 0.3 * np.mean((frames - guide) ** 2)


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize(("mode", "operator"), BLENDS)
def test_disoccluded_pixels_never_receive_the_occluders_colour(mode, operator, samples):
    """A red card crosses a blue wall; no blue pixel turns red, though renders mix colours at edges."""
    scene = Scene(
        64,
        48,
        (
            Rectangle(5, (9.0, 9.0), lambda frame: move(0, 0, -6), lambda at: np.tile([0.0, 0.0, 1.0], (len(at), 1))),
            Rectangle(
                7,
                (0.5, 0.5),
                lambda frame: move(-1.0 + 0.31 * frame, 0.013 * frame, -3),
                lambda at: np.tile([1.0, 0.0, 0.0], (len(at), 1)),
            ),
        ),
        lambda frame: np.eye(4),
        lens(64, 48),
        np.zeros_like,
    )
    frames = range(1, 8)
    pictures = pictures_of(scene, frames, samples)
    # The guide is blind here, so that visibility alone has to keep the colours apart.
    smoothed = smoother_of(
        clip_of(scene, frames), np.zeros_like(pictures), window=3, mode=mode, operator=operator
    ).smooth(pictures)
    wall = (pictures == (0.0, 0.0, 1.0)).all(axis=-1)
    edge = np.stack([blend.surfaces(scene.passes(frame)).edge for frame in frames])
    assert (wall & ~edge).mean() > 0.7
    np.testing.assert_array_equal(smoothed[wall & ~edge], pictures[wall & ~edge])


def test_geometry_is_not_appearance():
    """A light spot that wanders over a still wall stays where it is under "robust", and smears under the mean."""
    scene = Scene(
        64, 48, (Rectangle(5, (9.0, 9.0), lambda frame: move(0, 0, -6), waves(1)),),
        lambda frame: np.eye(4), lens(64, 48), np.zeros_like,
    )  # fmt: skip
    frames = range(1, 8)
    y, x = np.mgrid[:48, :64]
    spots = np.stack([np.exp(-((x - 8.0 * frame) ** 2 + (y - 24.0) ** 2) / 20.0) for frame in frames])
    pictures = (0.7 * pictures_of(scene, frames) + 0.3 * spots[..., None]).astype(np.float32)
    error = {}
    for operator in OPERATORS:
        smoothed = smoother_of(clip_of(scene, frames), pictures, window=3, operator=operator).smooth(pictures)
        error[operator] = np.sqrt(np.mean((smoothed - pictures)[spots > 0.3] ** 2))
    assert error["robust"] < 0.15 * error["mean"]


def test_reversing_time_reverses_the_result(shot):
    """The operator knows no direction of time."""
    scene, clip, guide, frames = shot
    back = demo_scene(64, 48)
    back = Scene(
        64,
        48,
        tuple(
            Rectangle(card.object_id, card.half, lambda frame, card=card: card.pose(8 - frame), card.colour)
            for card in back.rectangles
        ),
        lambda frame: scene.camera_to_world(8 - frame),
        back.projection,
        back.sky,
    )
    forth = smoother_of(clip, guide, window=3).smooth(frames)
    reverse = smoother_of(clip_of(back, range(1, 8)), guide[::-1], window=3).smooth(frames[::-1])
    # The last bit of a closed-form position decides which pixels are read in a few places.
    assert np.quantile(np.abs(reverse[::-1] - forth), 0.999) < 2e-3


def test_numpy_warp_and_streamed_frames_give_the_same_bits(shot):
    """There is one operator behind all three ways."""
    _, clip, guide, frames = shot
    smoother = smoother_of(clip, guide, window=2)
    expected = smoother.smooth(frames)
    on_device = wp.array(frames, dtype=wp.vec3, device="cpu")
    smoothed = smoother.smooth(on_device)
    assert smoothed.shape == (7, 48, 64) and smoothed.dtype == wp.vec3
    np.testing.assert_array_equal(smoothed.numpy(), expected)
    np.testing.assert_array_equal(np.stack(list(smoother.stream(frames.__getitem__))), expected)
    np.testing.assert_array_equal(on_device.numpy(), frames)


def test_streaming_fetches_each_frame_once_and_in_order(shot):
    """A clip can be longer than memory."""
    _, clip, guide, frames = shot
    fetched: list[int] = []

    def fetch(index: int) -> np.ndarray:
        fetched.append(index)
        return frames[index]

    stream = smoother_of(clip, guide, window=2).stream(fetch)
    next(stream)
    assert fetched == [0, 1, 2]
    list(stream)
    assert fetched == list(range(7))


@pytest.mark.parametrize("mode", ["fast", "balanced", "accurate"])
def test_a_narrower_window_is_a_smoother_of_that_window(shot, mode):
    """Streaming with a narrower window gives the bits of a smoother that was made with it."""
    _, clip, guide, frames = shot
    wide = smoother_of(clip, guide, window=3, mode=mode)
    for window in (1, 2):
        narrow = [frame.numpy().copy() for frame in wide.stream_arrays(frames.__getitem__, window=window)]
        np.testing.assert_array_equal(narrow, smoother_of(clip, guide, window=window, mode=mode).smooth(frames))


def test_a_narrower_window_needs_no_links_of_its_own(shot, tmp_path):
    """In mode "balanced" links are found for the widest window alone."""
    _, clip, guide, frames = shot
    smoother = smoother_of(clip, guide, window=3, cache_dir=tmp_path, cache_key="shot")
    smoother.prepare()
    kept = sorted(tmp_path.rglob("*.npy"))
    list(smoother.stream_arrays(frames.__getitem__, window=1))
    assert sorted(tmp_path.rglob("*.npy")) == kept


def test_chosen_frames_come_out_as_from_the_whole_clip(shot):
    """Only the targets are yielded, and only what they need is fetched, in order."""
    _, clip, guide, frames = shot
    smoother = smoother_of(clip, guide, window=1)
    fetched = []

    def fetch(index):
        fetched.append(index)
        return frames[index]

    chosen = [frame.numpy().copy() for frame in smoother.stream_arrays(fetch, targets=(1, 2, 5))]
    np.testing.assert_array_equal(chosen, smoother.smooth(frames)[[1, 2, 5]])
    assert fetched == [0, 1, 2, 3, 4, 5, 6]


def test_a_wider_window_is_refused(shot):
    """Links reach as far as the smoother's own window."""
    _, clip, guide, frames = shot
    with pytest.raises(ValueError, match="smoother's 2"):
        next(smoother_of(clip, guide, window=2).stream_arrays(frames.__getitem__, window=3))


def test_the_result_does_not_depend_on_the_number_of_threads(shot):
    """One thread or five: the same bits."""
    scene, _, guide, frames = shot
    results = [
        smoother_of(clip_of(scene, range(1, 8), threads=threads), guide, window=2).smooth(frames)
        for threads in (1, 2, 5)
    ]
    np.testing.assert_array_equal(results[1], results[0])
    np.testing.assert_array_equal(results[2], results[0])


def test_links_are_computed_once_and_kept_on_disk(shot, tmp_path):
    """A second smoother reads no passes at all, and its result is the same; a damaged file is made again."""
    scene, clip, guide, frames = shot
    options = {"window": 2, "cache_dir": tmp_path, "cache_key": "shot"}
    first = smoother_of(clip, guide, **options)
    done: list[int] = []
    first.prepare(done.append)
    assert done == list(range(7))
    files = sorted(tmp_path.rglob("*.npy"))
    assert len(files) == 7 and not list(tmp_path.rglob(".*"))

    def unread(frame: int):
        raise AssertionError(f"frame {frame} was read again")

    again = smoother_of(clip_of(scene, range(1, 8), reader=unread), unread, **options)
    np.testing.assert_array_equal(again.smooth(frames), first.smooth(frames))
    for file, length in zip(files, itertools.cycle((0, 7, 60, 500)), strict=False):
        content = file.read_bytes()
        # Cut short, or with zeros in place of what was not on the disk yet.
        file.write_bytes(content[:length] if length < 500 else content[:length].ljust(len(content), b"\0"))
    np.testing.assert_array_equal(smoother_of(clip, guide, **options).smooth(frames), first.smooth(frames))


def test_links_of_different_operators_do_not_meet(shot, tmp_path):
    """Each setting that changes links has a folder of its own; modes and windows share theirs."""
    _, clip, guide, _ = shot
    for options in ({}, {"operator": "mean"}, {"repair": False}, {"cache_key": "other"}):
        smoother_of(clip, guide, **{"window": 2, "cache_dir": tmp_path, **options}).prepare()
    assert len(list(tmp_path.iterdir())) == 4
    files = set(tmp_path.rglob("*.npy"))
    smoother_of(clip, guide, mode="accurate", window=2, cache_dir=tmp_path).prepare()
    # What the accurate mode reads beyond the balanced one is each frame's own.
    assert len(set(tmp_path.rglob("*.npy")) - files) == 7


@pytest.mark.parametrize(("count", "window"), [(1, 4), (2, 4), (3, 1)])
@pytest.mark.parametrize(("width", "height"), [(17, 9), (1, 1)])
def test_short_clips_and_odd_sizes_work(count, window, width, height):
    """A clip may be shorter than the window and a frame of any size."""
    scene, frames = demo_scene(width, height), range(1, count + 1)
    pictures = pictures_of(scene, frames)
    smoothed = smoother_of(clip_of(scene, frames), pictures, window=window).smooth(pictures)
    assert smoothed.shape == pictures.shape and np.isfinite(smoothed).all()


def test_motion_beyond_what_a_link_can_hold_is_not_read():
    """A panorama that races by further than 511 px a frame is left alone, not wrapped around."""
    scene = Scene(
        1400, 2, (Rectangle(5, (90.0, 90.0), lambda frame: move(3.0 * frame, 0, -6), waves(1)),),
        lambda frame: np.eye(4), lens(1400, 2), np.zeros_like,
    )  # fmt: skip
    frames = np.random.default_rng(0).random((2, 2, 1400, 3), np.float32)
    clip = clip_of(scene, range(1, 3))
    assert clip.field(0, 1)[0, 100, 0] - 100 > 511
    np.testing.assert_array_equal(smoother_of(clip, frames, window=1, operator="mean").smooth(frames), frames)


def test_wrong_arguments_are_refused(shot):
    """The value is in the message."""
    _, clip, guide, frames = shot
    for options, message in (
        ({"window": -1}, "got -1"),
        ({"operator": "median"}, "got 'median'"),
        ({"mode": "slow"}, "got 'slow'"),
        ({"mode": "accurate", "operator": "mean"}, "choose one of them"),
    ):
        with pytest.raises(ValueError, match=message):
            smoother_of(clip, guide, **options)
    with pytest.raises(ValueError, match=r"\(6, 48, 64, 3\), the clip's is \(7, 48, 64, 3\)"):
        smoother_of(clip, guide).smooth(frames[:6])
    with pytest.raises(ValueError, match="vec3 of shape"):
        smoother_of(clip, guide).smooth(wp.zeros((6, 48, 64), dtype=wp.vec3, device="cpu"))


def test_a_link_on_disk_is_a_link_on_the_device():
    """NumPy and Warp lay it out alike."""
    assert LINK_DTYPE == np.dtype(Link.numpy_dtype()) and LINK_DTYPE.itemsize == 10


@pytest.mark.parametrize("count", [1, 2, 5, 16, 19])
@pytest.mark.parametrize("window", [1, 2, 3, 7, 30])
@pytest.mark.parametrize("mode", ["fast", "balanced"])
def test_windows_are_exactly_uniform_under_identity_maps(mode, window, count):
    """Every frame of the window counts once and alike, at the clip's ends as well."""
    frames = np.random.default_rng(0).random((count, 6, 8, 3), np.float32)
    clip = clip_of(demo_scene(8, 6, speed=0.0), range(1, count + 1))
    smoothed = smoother_of(clip, np.zeros_like(frames), mode=mode, window=window, operator="mean").smooth(frames)
    means = [frames[max(0, target - window) : target + window + 1].mean(axis=0) for target in range(count)]
    np.testing.assert_allclose(smoothed, means, atol=1e-6)


def test_modes_agree_on_the_mean_of_a_moving_shot(shot):
    """Going through a block's mean costs a second interpolation and nothing else."""
    _, clip, guide, frames = shot
    fast, balanced = (
        smoother_of(clip, guide, mode=mode, window=3, operator="mean").smooth(frames) for mode in ("fast", "balanced")
    )
    assert np.mean(np.abs(fast - balanced)) < 0.1 * np.mean(np.abs(balanced - frames))


@pytest.mark.parametrize("mode", ["fast", "balanced", "accurate"])
def test_every_mode_streams_and_prepares_to_the_same_bits(shot, mode, tmp_path):
    """Links computed on the way, kept in memory or read from disk; whole clip or one window at a time."""
    scene, clip, guide, frames = shot
    expected = np.stack(list(smoother_of(clip, guide, mode=mode, window=3).stream(frames.__getitem__)))
    kept = smoother_of(clip_of(scene, range(1, 8), threads=1), guide, mode=mode, window=3)
    kept.prepare()
    np.testing.assert_array_equal(kept.smooth(frames), expected)
    stored = smoother_of(clip, guide, mode=mode, window=3, cache_dir=tmp_path)
    stored.prepare()
    on_device = wp.array(frames, dtype=wp.vec3, device="cpu")
    np.testing.assert_array_equal(stored.smooth(on_device).numpy(), expected)


def test_the_fast_mode_forgets_frames_and_nodes(shot):
    """Memory is a matter of the window, not of the clip."""
    slots = []
    for count in (40, 160):
        tree = TreeBlender(clip_of(demo_scene(8, 6), range(1, 3)).bands, count, 7)
        slots.append(tree.slot_count)
    assert slots[0] == slots[1] <= 3 * 15
