"""Laws of prompts by region, on real networks at tiny size."""

import pytest
import torch
from diffusers.models.attention_processor import Attention, IPAdapterAttnProcessor2_0

from diffsynth_blender.diffusion.attention import FrameAttention
from diffsynth_blender.diffusion.regions import RegionPrompts
from tests.tiny_model import TEXT_CHANNELS, make_tiny_model

HEIGHT, WIDTH = 6, 8
STEP = torch.tensor(300)


def noise(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def network():
    return make_tiny_model().network


@pytest.fixture(scope="module")
def latents():
    return noise(1, 3, 4, HEIGHT, WIDTH)


@pytest.fixture(scope="module")
def text():
    return noise(2, 2, 3, TEXT_CHANNELS)


PROMPTS = noise(3, 2, 5, TEXT_CHANNELS)
"""Of two regions, and longer than the main prompt."""


def masks(height=48, width=64):
    """Two regions over five frames: a part of the left half, and one that is only in frame 4."""
    both = torch.zeros(2, 5, height, width)
    both[0, :, height // 6 : height // 2, : width // 2] = 1.0
    both[1, 4, :, width // 2 :] = 1.0
    return both


def run(network, latents, text, **options):
    states = text.repeat_interleave(len(latents), dim=0)
    return network(
        latents.repeat(len(text), 1, 1, 1), STEP, encoder_hidden_states=states, return_dict=False, **options
    )[0]


@pytest.fixture
def with_regions(network):
    kept = []

    def attach(masks, prompts, *networks):
        regions = RegionPrompts(masks, prompts)
        regions.attach(*(networks or (network,)))
        kept.append(regions)
        return regions

    yield attach
    for regions in kept:
        regions.detach()


@pytest.mark.parametrize("branches", [1, 2])
def test_the_same_prompt_everywhere_is_the_plain_network(network, latents, text, with_regions, branches):
    """Regions that say what the main prompt says change nothing but rounding."""
    plain = run(network, latents, text[2 - branches :])
    regions = with_regions(masks(), text[1:].expand(2, -1, -1))
    regions.batch([0, 1, 4], branches)
    torch.testing.assert_close(run(network, latents, text[2 - branches :]), plain, atol=1e-5, rtol=1e-5)


def test_an_empty_mask_changes_nothing(network, latents, text, with_regions):
    """Exactly: nothing in these frames, or nothing at all."""
    plain = run(network, latents, text)
    only_later = masks()
    only_later[0] = 0.0
    for mask in (torch.zeros(2, 5, 6, 8, dtype=torch.bool), only_later):
        regions = with_regions(mask, PROMPTS)
        regions.batch([0, 1, 2], 2)
        assert torch.equal(run(network, latents, text), plain)
        regions.detach()


def test_a_region_over_everything_is_its_prompt(network, latents, text, with_regions):
    """The positive branch is what the plain network makes of the region's prompt; the negative one is untouched."""
    negative, positive = run(network, latents, text[:1]), run(network, latents, PROMPTS[:1])
    regions = with_regions(torch.ones(1, 3, 20, 30), PROMPTS[:1])
    regions.batch([0, 1, 2], 2)
    found = run(network, latents, text).chunk(2)
    torch.testing.assert_close(found[0], negative, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found[1], positive, atol=1e-5, rtol=1e-5)
    # The same branch by branch.
    regions.batch([0, 1, 2], 1, only=0)
    assert torch.equal(run(network, latents, text[:1]), negative)
    regions.batch([0, 1, 2], 1, only=1)
    torch.testing.assert_close(run(network, latents, text[1:]), positive, atol=1e-5, rtol=1e-5)


def test_every_token_listens_to_its_own_regions(network, latents, text, with_regions):
    """Each text attention gives, token by token, the mean of the prompts' outputs by the share of their regions."""
    layers = [m for n, m in network.named_modules() if n.endswith(".attn2") and isinstance(m, Attention)]
    seen = {}
    handles = [
        layer.register_forward_hook(
            lambda layer, args, kwargs, out: seen.update({layer: (args[0], out)}), with_kwargs=True
        )
        for layer in layers
    ]
    mask = masks()
    regions = with_regions(mask, PROMPTS)
    regions.batch([0, 3, 4], 1)
    run(network, latents, text[1:])
    for handle in handles:
        handle.remove()
    regions.detach()
    assert len(layers) >= 3
    for layer, (states, found) in seen.items():
        h, w = {48: (6, 8), 12: (3, 4)}[states.shape[1]]
        plain = [layer(states, one.expand(3, -1, -1)) for one in (text[1:], PROMPTS[:1], PROMPTS[1:])]
        for row, frame in enumerate((0, 3, 4)):
            for token in range(h * w):
                y, x = token // w * (48 // h), token % w * (64 // w)
                share = [float(region[frame, y : y + 48 // h, x : x + 64 // w].mean()) for region in mask]
                shares = [1 - sum(share), *share]
                expected = sum(s * out[row, token] for s, out in zip(shares, plain, strict=True))
                torch.testing.assert_close(found[row, token], expected, atol=1e-5, rtol=1e-5)


def test_an_image_prompt_stays_what_it_is(latents, text, with_regions):
    """With an IP-Adapter in the text attention, a region's prompt replaces the text and not the image."""
    network = make_tiny_model().network
    torch.manual_seed(7)
    adapters = {
        name: processor
        if name.endswith("attn1.processor")
        else IPAdapterAttnProcessor2_0(network.get_submodule(name[: -len(".processor")]).inner_dim, TEXT_CHANNELS, (2,))
        for name, processor in network.attn_processors.items()
    }
    network.set_attn_processor(adapters)
    network.register_to_config(encoder_hid_dim_type="ip_image_proj")
    network.encoder_hid_proj = torch.nn.Identity()
    image = [noise(8, 1, 2, TEXT_CHANNELS).repeat_interleave(3, dim=0)]

    def shown(text):
        return run(network, latents, text, added_cond_kwargs={"image_embeds": image * 1})

    plain, other = shown(text[1:]), shown(PROMPTS[:1])
    assert not torch.allclose(plain, run(make_tiny_model().network, latents, text[1:]))
    regions = with_regions(torch.ones(1, 3, 6, 8), PROMPTS[:1], network)
    attention = FrameAttention(("self",))
    attention.attach(network)
    regions.batch([0, 1, 2], 1)
    attention.batch([0, 1, 2], 1)
    torch.testing.assert_close(shown(text[1:]), other, atol=1e-5, rtol=1e-5)
    attention.detach()
    regions.detach()
    assert torch.equal(shown(text[1:]), plain)


def test_controlnets_listen_too(with_regions):
    """A ControlNet's residuals are those of the region's prompt where the region is all of the picture."""
    net = make_tiny_model().controlnets[0]
    noisy, images, states = noise(4, 3, 4, 6, 6), torch.rand(3, 3, 12, 12), noise(5, 1, 3, TEXT_CHANNELS)

    def middle(text):
        return net(noisy, STEP, text.expand(3, -1, -1), controlnet_cond=images, return_dict=False)[1]

    expected = middle(PROMPTS[:1])
    regions = with_regions(torch.ones(1, 3, 6, 6), PROMPTS[:1], net)
    regions.batch([0, 1, 2], 1)
    torch.testing.assert_close(middle(states), expected, atol=1e-5, rtol=1e-5)


def test_what_cannot_be_is_refused(network, latents, text, with_regions):
    """Regions that overlap, shapes that do not fit, a transformer, rows that were not announced."""
    with pytest.raises(ValueError, match="overlap"):
        RegionPrompts(torch.ones(2, 1, 4, 4), PROMPTS)
    with pytest.raises(ValueError, match="masks"):
        RegionPrompts(torch.ones(1, 1, 4, 4), PROMPTS)
    with pytest.raises(ValueError, match="need a U-Net"):
        RegionPrompts(torch.ones(1, 1, 4, 4), PROMPTS[:1]).attach(make_tiny_model("sd3").network)
    regions = with_regions(torch.ones(1, 3, 4, 4), PROMPTS[:1])
    with pytest.raises(RuntimeError, match="called with 6 rows"):
        run(network, latents, text)
    regions.batch([0, 1], 2)
    with pytest.raises(RuntimeError, match="called with 6 rows"):
        run(network, latents, text)
