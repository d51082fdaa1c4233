"""Laws of cross-frame attention, on real networks at tiny size, against a slow reference."""

import pytest
import torch
from diffusers.models.attention_processor import Attention

from diffsynth_blender.diffusion.attention import FrameAttention
from diffsynth_blender.diffusion.attention_batch import token_grid
from tests.reference import attention as reference
from tests.tiny_model import TEXT_CHANNELS, make_tiny_model

ALL = ("first", "previous", "self", "next")
HEIGHT, WIDTH = 5, 6
STEP = torch.tensor(500)


@pytest.fixture(scope="module")
def network():
    return make_tiny_model().network


@pytest.fixture(scope="module")
def latents():
    return torch.randn(7, 4, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(3))


@pytest.fixture(scope="module")
def text():
    return torch.randn(2, 3, TEXT_CHANNELS, generator=torch.Generator().manual_seed(4))


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.inference_mode():
        yield


def run(network, latents, text):
    """One call of the network with as many branches as there are texts."""
    states = text.repeat_interleave(len(latents), dim=0)
    return network(latents.repeat(len(text), 1, 1, 1), STEP, encoder_hidden_states=states, return_dict=False)[0]


def attached(network, pattern, **options):
    attention = FrameAttention(pattern, **options)
    attention.attach(network)
    attention.begin_step()
    return attention


@pytest.fixture
def detached(network):
    """What is attached in a test is taken off after it."""
    kept = []
    yield lambda *arguments, **options: kept.append(attached(network, *arguments, **options)) or kept[-1]
    for attention in kept:
        attention.detach()


class Recorder:
    """What goes into and comes out of every self-attention layer of a network's next call."""

    def __init__(self, network):
        self.layers = [m for n, m in network.named_modules() if n.endswith(".attn1") and isinstance(m, Attention)]
        assert len(self.layers) >= 3

    def __enter__(self):
        self.inputs, self.outputs = {}, {}
        self._handles = [layer.register_forward_hook(self._note) for layer in self.layers]
        return self

    def _note(self, layer, args, output):
        self.inputs[layer], self.outputs[layer] = args[0], output

    def __exit__(self, *error):
        for handle in self._handles:
            handle.remove()


def turned(target, source, h, w):
    """A made-up motion: a token per frame to the side; what leaves the picture, and the last row, is not seen."""
    column = torch.arange(w).repeat(h) + (source - target)
    row = torch.arange(h).repeat_interleave(w)
    place = row * w + column
    return torch.where((column >= 0) & (column < w) & (row < h - 1), place, -1)


@pytest.mark.parametrize("branches", [1, 2])
@pytest.mark.parametrize("pattern", [ALL, ("previous", "self"), ("first", "self")])
def test_frames_look_at_whom_the_pattern_says(network, latents, text, detached, pattern, branches):
    """Every layer's every output is the reference's, in the first window and in a later one."""
    attention = detached(pattern)
    firsts = {}
    for window in (range(4), range(3, 7)):
        attention.batch(torch.tensor(window), branches)
        with Recorder(network) as seen:
            run(network, latents[list(window)], text[2 - branches :])
        for layer in seen.layers:
            for branch in range(branches):
                rows = slice(branch * len(window), (branch + 1) * len(window))
                states = seen.inputs[layer][rows]
                firsts.setdefault((layer, branch), states[0])
                for i in (0, 3) if branch else (0, 2):
                    whom = {
                        "first": firsts[layer, branch],
                        "previous": states[max(i - 1, 0)],
                        "self": states[i],
                        "next": states[min(i + 1, len(window) - 1)],
                    }
                    found = layer.to_out[0](reference.look(layer, states[i], [whom[kind] for kind in pattern]))
                    torch.testing.assert_close(seen.outputs[layer][rows][i], found, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("motion", ["trajectory", "correspondence"])
def test_points_are_followed_through_the_window(network, latents, text, detached, motion):
    """With the motion known, every layer's outputs are the reference's, where points are seen and where not."""
    attention = detached(("first", "self"), motion=motion, correspond=turned)
    attention.batch(torch.arange(3), 1)
    with Recorder(network) as seen:
        run(network, latents[:3], text[1:])
    for layer in seen.layers:
        states = seen.inputs[layer]
        grid = token_grid(states.shape[1], HEIGHT, WIDTH)
        looked = [[states[0], states[i]] for i in range(3)]
        for i in range(3):
            if motion == "trajectory":
                dense = [reference.look(layer, states[j], looked[j]) for j in range(3)]
                found = reference.along(layer, i, states, dense, lambda t, s, grid=grid: turned(t, s, *grid))
            else:
                points = [
                    [states[j][turned(i, j, *grid)[n]] for j in range(3) if j != i and turned(i, j, *grid)[n] >= 0]
                    for n in range(states.shape[1])
                ]
                found = reference.look(layer, states[i], looked[i], points)
            torch.testing.assert_close(seen.outputs[layer][i], layer.to_out[0](found), atol=1e-5, rtol=1e-4)


def test_looking_at_nobody_else_is_the_plain_network(network, latents, text, detached):
    """Exactly: with the pattern "self", and for a clip of one frame, also where that frame fills a batch."""
    plain = run(network, latents[:4], text)
    alone = run(network, latents[:1].expand(4, -1, -1, -1), text)
    attention = detached(("self",))
    attention.batch(torch.arange(4), 2)
    assert torch.equal(run(network, latents[:4], text), plain)
    attention.detach()
    for options in ({}, {"motion": "trajectory", "correspond": turned}):
        attention = detached(ALL, **options)
        attention.batch(torch.zeros(4, dtype=torch.long), 2)
        assert torch.equal(run(network, latents[:1].expand(4, -1, -1, -1), text), alone)
        attention.detach()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"motion": "trajectory", "correspond": lambda t, s, h, w: torch.arange(h * w)},
        {"motion": "trajectory", "correspond": lambda t, s, h, w: torch.full((h * w,), -1)},
        {"motion": "correspondence", "correspond": lambda t, s, h, w: torch.full((h * w,), -1)},
    ],
)
def test_a_static_clip_stays_static(network, latents, text, detached, options):
    """Equal frames give equal outputs, and what the plain network gives: copies of keys change nothing.

    Up to rounding: with several threads, kernels do not round every row of a batch alike.
    """
    still = latents[:1].expand(4, -1, -1, -1)
    plain = run(network, still, text)
    attention = detached(ALL, **options)
    for window in (range(4), range(3, 7)):
        attention.batch(torch.tensor(window), 2)
        found = run(network, still, text)
        for branch in found.chunk(2):
            torch.testing.assert_close(branch, branch[:1].expand_as(branch), atol=1e-6, rtol=0)
        torch.testing.assert_close(found, plain, atol=1e-5, rtol=1e-5)


def test_corresponding_tokens_keep_a_static_clip_static(network, latents, text, detached):
    """Where every token sees itself in all other frames, equal frames still give equal outputs."""
    attention = detached(("self",), motion="correspondence", correspond=lambda t, s, h, w: torch.arange(h * w))
    attention.batch(torch.arange(4), 1)
    found = run(network, latents[:1].expand(4, -1, -1, -1), text[1:])
    torch.testing.assert_close(found, found[:1].expand_as(found), atol=1e-6, rtol=0)


def test_points_nobody_sees_change_nothing(network, latents, text, detached):
    """Without a visible point, trajectory and correspondence are the same as neither."""
    attention = detached(("previous", "self"))
    attention.batch(torch.arange(4), 1)
    expected = run(network, latents[:4], text[1:])
    attention.detach()
    for motion in ("trajectory", "correspondence"):
        attention = detached(
            ("previous", "self"), motion=motion, correspond=lambda t, s, h, w: torch.full((h * w,), -1)
        )
        attention.batch(torch.arange(4), 1)
        torch.testing.assert_close(run(network, latents[:4], text[1:]), expected, atol=1e-5, rtol=1e-5)
        attention.detach()


def test_frames_that_fill_a_batch_up_change_nothing(network, latents, text, detached):
    """The last frame twice: both give what it gives once."""
    attention = detached(ALL)
    attention.batch(torch.arange(3), 2)
    expected = run(network, latents[:3], text).unflatten(0, (2, 3))
    attention.begin_step()
    attention.batch(torch.tensor([0, 1, 2, 2]), 2)
    found = run(network, latents[[0, 1, 2, 2]], text).unflatten(0, (2, 4))
    torch.testing.assert_close(found, expected[:, [0, 1, 2, 2]], atol=1e-6, rtol=1e-5)


def test_branches_one_after_the_other_give_the_same(network, latents, text, detached):
    """Where memory is short, the guidance branches are evaluated separately, each with its own first frame."""
    attention = detached(ALL)
    expected = []
    for window in (range(4), range(3, 7)):
        attention.batch(torch.tensor(window), 2)
        expected.append(run(network, latents[list(window)], text))
    attention.begin_step()
    for window, both in zip((range(4), range(3, 7)), expected, strict=True):
        for branch, one in enumerate(both.chunk(2)):
            attention.batch(torch.tensor(window), 1, only=branch)
            found = run(network, latents[list(window)], text[branch : branch + 1])
            torch.testing.assert_close(found, one, atol=1e-5, rtol=1e-5)


def test_small_chunks_give_the_same(network, latents, text, detached, monkeypatch):
    """However few frames' keys are gathered at a time, the result is the same."""
    options = [{}, {"motion": "correspondence", "correspond": turned}]
    for one in options:
        attention = detached(ALL, **one)
        attention.batch(torch.arange(4), 1)
        whole = run(network, latents[:4], text[1:])
        with monkeypatch.context() as patch:
            patch.setattr("diffsynth_blender.diffusion.attention_layer.GATHERED_BYTES", 1)
            torch.testing.assert_close(run(network, latents[:4], text[1:]), whole, atol=1e-6, rtol=1e-6)
        attention.detach()


def test_a_reference_picture_is_looked_at(network, latents, text, detached):
    """Every layer also attends to what it saw of the picture, whose own evaluation is plain, at any size."""
    picture = torch.randn(1, 4, 8, 7, generator=torch.Generator().manual_seed(9))
    plain = run(network, picture, text)
    attention = detached(("self",), with_reference=True)
    with Recorder(network) as kept, attention.recording("reference"):
        assert torch.equal(run(network, picture, text), plain)
    attention.batch(torch.arange(2), 2)
    with Recorder(network) as seen:
        run(network, latents[:2], text)
    for layer in seen.layers:
        for row, branch in enumerate((0, 0, 1, 1)):
            states = seen.inputs[layer][row]
            found = layer.to_out[0](reference.look(layer, states, [states, kept.inputs[layer][branch]]))
            torch.testing.assert_close(seen.outputs[layer][row], found, atol=1e-5, rtol=1e-4)


def test_a_frame_as_its_own_reference_changes_nothing(network, latents, text, detached):
    """A clip of one frame whose reference is the frame itself: the same keys twice."""
    plain = run(network, latents[:1], text)
    attention = detached(ALL, with_reference=True)
    with attention.recording("reference"):
        run(network, latents[:1], text)
    attention.batch([0], 2)
    torch.testing.assert_close(run(network, latents[:1], text), plain, atol=1e-5, rtol=1e-5)


def test_controlnets_attend_too(latents, text):
    """A ControlNet's residuals change with the neighbours, and are its own again after detaching."""
    tiny = make_tiny_model()
    net = tiny.controlnets[0]
    images = torch.rand(4, 3, 2 * 6, 2 * 6, generator=torch.Generator().manual_seed(5))
    noisy = torch.randn(4, 4, 6, 6, generator=torch.Generator().manual_seed(6))
    states = text[1:].expand(4, -1, -1)

    def residual():
        return net(noisy, STEP, states, controlnet_cond=images, return_dict=False)[1]

    plain = residual()
    attention = attached(net, ALL)
    attention.batch(torch.arange(4), 1)
    assert not torch.allclose(residual(), plain)
    attention.detach()
    assert torch.equal(residual(), plain)


def test_half_precision_follows_points_as_well(network, latents, text, detached):
    """In bfloat16 the score of corresponding tokens keeps its precision: results stay as close as plain ones do."""
    half = make_tiny_model().network.to(torch.bfloat16)
    differences = []
    for motion in ("off", "correspondence"):
        options = {} if motion == "off" else {"motion": motion, "correspond": turned}
        found = []
        for net, dtype in ((network, torch.float32), (half, torch.bfloat16)):
            attention = attached(net, ("self",), **options)
            attention.batch(torch.arange(3), 1)
            found.append(run(net, latents[:3].to(dtype), text[1:].to(dtype)).float())
            attention.detach()
        differences.append((found[0] - found[1]).abs().mean())
    assert differences[1] < 1.5 * differences[0]


def test_other_networks_are_refused():
    """A transformer has joint attention: said, not ignored."""
    tiny = make_tiny_model("sd3")
    with pytest.raises(ValueError, match="needs a U-Net"):
        FrameAttention(ALL).attach(tiny.network)
    with pytest.raises(ValueError, match="needs a U-Net"):
        FrameAttention(ALL).attach(tiny.controlnets[0])


def test_misuse_is_an_error(network, latents, text, detached):
    """Patterns without sense, a batch that is not announced, a first frame or a reference that nobody evaluated."""
    for pattern in ((), ("first",), ("self", "self"), ("self", "last")):
        with pytest.raises(ValueError, match="pattern"):
            FrameAttention(pattern)
    for options in ({"motion": "trajectory"}, {"correspond": turned}, {"motion": "flow", "correspond": turned}):
        with pytest.raises(ValueError, match="motion"):
            FrameAttention(ALL, **options)
    attention = detached(ALL, with_reference=True)
    with pytest.raises(RuntimeError, match="batch"):
        run(network, latents[:2], text)
    attention.batch([0, 1], 1)
    with pytest.raises(RuntimeError, match="called with 4 rows"):
        run(network, latents[:2], text)
    with pytest.raises(RuntimeError, match="reference"):
        run(network, latents[:2], text[1:])
    attention.detach()
    attention = detached(ALL)
    attention.batch([2, 3], 1)
    with pytest.raises(RuntimeError, match="first frame"):
        run(network, latents[:2], text[1:])


def test_the_grid_of_tokens_halves_rounded_up():
    """As a U-Net's levels do; other counts of tokens are refused."""
    assert [token_grid(n, 9, 15) for n in (135, 40, 12, 4, 1)] == [(9, 15), (5, 8), (3, 4), (2, 2), (1, 1)]
    with pytest.raises(ValueError, match="tokens"):
        token_grid(77, 9, 15)
