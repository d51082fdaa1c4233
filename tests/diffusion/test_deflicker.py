import dataclasses
import weakref

import pytest
import torch

from diffsynth_blender.diffusion.deflicker import Deflickering, scheduled
from diffsynth_blender.diffusion.latents import LatentCodec

CPU = torch.device("cpu")
SIZE = 16
FRAMES = 7


def window_mean(count, targets=None):
    """The plain mean over each window, streamed as the contract says: one fetch a frame, in order, one buffer."""

    def smooth(fetch, window):
        held = {}
        out = torch.empty(SIZE, SIZE, 3)
        for target in range(count) if targets is None else targets:
            near = range(max(0, target - window), min(count - 1, target + window) + 1)
            held = {index: held[index] for index in near if index in held} | {
                index: fetch(index).clone() for index in near if index not in held
            }
            yield out.copy_(torch.stack([held[index] for index in near]).mean(0))

    return smooth


def identity(fetch, window):
    """Every frame as it is."""
    return (fetch(index) for index in range(FRAMES))


@pytest.fixture
def codec(tiny):
    return LatentCodec(tiny.vae, height=SIZE, width=SIZE, device=CPU, batch=3)


@pytest.fixture
def x0(codec):
    return torch.randn(FRAMES, *codec.latent_shape, generator=torch.Generator().manual_seed(1))


def test_an_identity_smoother_changes_nothing(codec, x0):
    """The change is exactly zero when frames come back as they went in."""
    assert not Deflickering(identity, codec, window=2).apply(x0, 0, 4).any()


def test_the_change_is_what_the_smoother_did(codec, x0):
    """Streaming in batches gives strength (E(S(D x0)) - E(D x0)) of the whole clip, bit for bit."""
    decoded = codec.decode(x0)
    smoothed = torch.stack([frame.clone() for frame in window_mean(FRAMES)(decoded.__getitem__, 2)])
    expected = 0.7 * (codec.encode(smoothed) - codec.encode(decoded))
    assert torch.equal(Deflickering(window_mean(FRAMES), codec, window=2, strength=0.7).apply(x0, 0, 4), expected)


def test_a_strength_for_each_frame(codec, x0):
    """Each frame changes by its own strength; with none above 0 nothing is smoothed."""
    strengths = torch.linspace(0, 1, FRAMES)
    whole = Deflickering(window_mean(FRAMES), codec, window=2).apply(x0, 0, 4)
    found = Deflickering(window_mean(FRAMES), codec, window=2, strength=strengths)
    torch.testing.assert_close(found.apply(x0, 0, 4), whole * strengths[:, None, None, None])
    assert found.at(0, 4) and not dataclasses.replace(found, strength=0 * strengths).at(0, 4)


def test_frames_in_memory_do_not_depend_on_the_clip(codec, tiny):
    """However long the clip, decoded frames that still exist are at most a window and two batches."""
    most = 0

    class Counting(LatentCodec):
        alive = 0

        def decode(self, latents):
            frames = [frame.clone() for frame in super().decode(latents)]
            for frame in frames:
                type(self).alive += 1
                weakref.finalize(frame, count_down)
            return frames

    def count_down():
        Counting.alive -= 1

    def watched(fetch, window):
        nonlocal most
        for frame in window_mean(30)(fetch, window):
            most = max(most, Counting.alive)
            yield frame

    counting = Counting(tiny.vae, height=SIZE, width=SIZE, device=CPU, batch=3)
    counting.encode = lambda frames: torch.zeros(len(frames), *counting.latent_shape)
    Deflickering(watched, counting, window=2).apply(torch.randn(30, *counting.latent_shape), 0, 1)
    assert 0 < most <= 5 + 2 * 3


def test_known_frames_steady_the_others_and_stay(codec, x0):
    """With anchors in front and behind, frames see the known pictures, which need no latents."""
    known = {index: torch.rand(SIZE, SIZE, 3) for index in (0, 1, 5, 6)}
    places = (2, 3, 4)
    inner = x0[:3]
    deflickering = Deflickering(window_mean(FRAMES, places), codec, window=2, places=places, anchor=known.__getitem__)
    decoded = codec.decode(inner)
    clip = torch.stack([known[0], known[1], *decoded, known[5], known[6]])
    smoothed = torch.stack([frame.clone() for frame in window_mean(FRAMES, places)(clip.__getitem__, 2)])
    expected = codec.encode(smoothed) - codec.encode(decoded)
    torch.testing.assert_close(deflickering.apply(inner, 0, 1), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("broken", [lambda frames: frames[::-1], lambda frames: frames[:-1]])
def test_a_smoother_out_of_order_is_an_error(codec, x0, broken):
    """Frames asked for in another order, or too few that come back, are refused."""

    def smooth(fetch, window):
        return (fetch(index) for index in broken(list(range(FRAMES))))

    with pytest.raises(ValueError, match="smoother"):
        Deflickering(smooth, codec, window=1).apply(x0, 0, 1)


def test_which_steps_are_deflickered(codec):
    """Every k-th step except the last ones, or exactly those that are named; never with an empty window or strength."""

    def steps(**options):
        deflickering = Deflickering(identity, codec, **{"window": 2, **options})
        return [step for step in range(10) if deflickering.at(step, 10)]

    assert steps(interval=3, skip_last=1) == [0, 3, 6]
    assert steps(steps=(1, 8, 9, 40), interval=5, skip_last=5) == [1, 8, 9]
    assert steps(strength=(1.0, 0.0)) == list(range(9))
    assert steps(window=(0, 9)) == list(range(1, 10))
    assert steps(window=0) == steps(strength=0.0) == []


def test_schedules_are_spread_over_the_run():
    """The first value belongs to the first step, the last to the last, and in between it is linear."""
    assert [scheduled((1.0, 0.0, 4.0), step, 5) for step in range(5)] == [1.0, 0.5, 0.0, 2.0, 4.0]
    assert scheduled(3, 7, 9) == 3
    assert scheduled((2.0, 5.0), 0, 1) == 2.0


def test_the_window_follows_its_schedule(codec, x0):
    """Each step smooths over the window that its schedule gives, rounded to whole frames."""
    windows = []

    def smooth(fetch, window):
        windows.append(window)
        return identity(fetch, window)

    deflickering = Deflickering(smooth, codec, window=(4, 1))
    for step in range(4):
        deflickering.apply(x0, step, 4)
    assert windows == [4, 3, 2, 1]


@pytest.mark.parametrize("setting", [{"window": -1}, {"window": ()}, {"strength": (1.0, -0.5)}, {"interval": 0}])
def test_settings_out_of_range_are_refused(codec, setting):
    """Windows and strengths below zero, empty schedules, and no interval."""
    with pytest.raises(ValueError, match=next(iter(setting))):
        dataclasses.replace(Deflickering(identity, codec, window=1), **setting)
