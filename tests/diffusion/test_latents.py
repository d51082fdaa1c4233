import pytest
import torch
from diffusers import AutoencoderKL, AutoencoderTiny

from diffsynth_blender.diffusion.latents import (
    LatentCodec,
    TinyCodec,
    decode_each,
    encode_each,
    frame_reader,
    groups,
)
from diffsynth_blender.diffusion.lean_vae import lean_vae

CPU = torch.device("cpu")


def test_groups_cover_every_index_once_before_filling_up():
    """Every index comes in order, groups have one size, and only the last index is repeated."""
    for count in (1, 3, 4, 9):
        index = torch.cat(list(groups(count, 4)))
        assert len(index) % 4 == 0
        assert index[:count].tolist() == list(range(count))
        assert set(index[count:].tolist()) <= {count - 1}


@pytest.fixture(scope="module")
def tiny_vae():
    """An AutoencoderTiny with the shape of TAESD, random weights."""
    torch.manual_seed(3)
    return AutoencoderTiny(encoder_block_out_channels=(8,) * 4, decoder_block_out_channels=(8,) * 4).eval()


@pytest.fixture(scope="module")
def attentive_vae():
    """A VAE with what the small one lacks: attention, quantisation convolutions, two blocks a level, a shift."""
    torch.manual_seed(4)
    vae = AutoencoderKL(
        block_out_channels=(8, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        layers_per_block=2,
        norm_num_groups=4,
        shift_factor=0.1,
    )
    return vae.eval().requires_grad_(False)


def pictures(count, height, width):
    return torch.rand(count, height, width, 3, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", ["tiny", "attentive"])
def test_the_lean_vae_is_the_same_vae(tiny, attentive_vae, name):
    """Fewer operations, up to rounding the same latents and pictures; the original is left as it was."""
    vae = tiny.vae if name == "tiny" else attentive_vae
    lean = lean_vae(vae)
    images = pictures(2, 16, 24).permute(0, 3, 1, 2) * 2 - 1
    with torch.inference_mode():
        latents = vae.encode(images).latent_dist.mode()
        torch.testing.assert_close(lean.encode(images).latent_dist.mode(), latents, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(lean.decode(latents).sample, vae.decode(latents).sample, atol=1e-5, rtol=1e-5)
    assert {id(parameter) for parameter in lean.parameters()} == {id(parameter) for parameter in vae.parameters()}
    assert lean is not vae and not any("Straight" in type(part).__name__ for part in vae.modules())


def test_branches_that_add_nothing_are_left_out(tiny):
    """A residual block with a last convolution of zeros is its straight path alone."""
    vae = lean_vae(tiny.vae)
    assert not any(type(part).__name__ == "_Straight" for part in vae.modules())
    block = tiny.vae.decoder.mid_block.resnets[0].conv2
    kept = [parameter.clone() for parameter in block.parameters()]
    try:
        for parameter in block.parameters():
            parameter.zero_()
        off = lean_vae(tiny.vae)
        assert [type(part).__name__ for part in off.modules()].count("_Straight") == 1
        latents = torch.randn(1, 4, 8, 8)
        torch.testing.assert_close(off.decode(latents).sample, tiny.vae.decode(latents).sample, atol=1e-5, rtol=1e-5)
    finally:
        for parameter, value in zip(block.parameters(), kept, strict=True):
            parameter.copy_(value)


def test_latents_are_those_of_the_models_convention(attentive_vae):
    """(mean - shift) * scaling, as diffusers' pipelines have them."""
    codec = LatentCodec(attentive_vae, height=16, width=16, device=CPU)
    frames = pictures(1, 16, 16)
    with torch.inference_mode():
        mean = attentive_vae.encode(frames.permute(0, 3, 1, 2) * 2 - 1).latent_dist.mean
    expected = (mean - 0.1) * attentive_vae.config.scaling_factor
    torch.testing.assert_close(codec.encode(frames), expected, atol=1e-5, rtol=1e-5)


def test_the_tiny_vae_has_the_same_contract(tiny_vae):
    """Latents as the loop has them, no posterior, frames of any size, no frame the other's business."""
    codec = TinyCodec(tiny_vae, height=17, width=25, device=CPU, batch=2)
    frames = pictures(3, 17, 25)
    latents = codec.encode(frames)
    assert codec.latent_shape == (4, 3, 4) and latents.shape == (3, 4, 3, 4)
    assert codec.decode(latents).shape == frames.shape
    assert torch.equal(codec.encode(frames[2:]), latents[2:])
    whole = pictures(1, 16, 24)
    with torch.inference_mode():
        theirs = tiny_vae.encode(whole.permute(0, 3, 1, 2) * 2 - 1).latents
        ours = TinyCodec(tiny_vae, height=16, width=24, device=CPU)
        torch.testing.assert_close(ours.encode(whole), theirs)
        torch.testing.assert_close(ours.decode(theirs), tiny_vae.decode(theirs).sample.permute(0, 2, 3, 1) / 2 + 0.5)


def test_frames_one_by_one_are_those_of_the_whole_clip(tiny):
    """Encoding, decoding and reading a clip frame by frame gives the same bits as all at once."""
    codec = LatentCodec(tiny.vae, height=16, width=16, device=CPU, batch=3)
    frames = pictures(7, 16, 16)
    latents = codec.encode(frames)
    decoded = codec.decode(latents)
    assert torch.equal(encode_each(codec, frames, 7), latents)
    assert torch.equal(torch.stack(list(decode_each(codec, latents))), decoded)
    read = frame_reader(codec, latents)
    for index in (0, 1, 4, 5, 6, 2, 2):
        assert torch.equal(read(index), decoded[index])


@pytest.mark.parametrize("size", [(16, 24), (17, 23), (1, 5)])
def test_frames_of_any_size_keep_it(tiny, size):
    """Encoding and decoding returns frames of the size that went in, divisible by the VAE's factor or not."""
    height, width = size
    codec = LatentCodec(tiny.vae, height=height, width=width, device=CPU)
    frames = torch.rand(3, height, width, 3)
    latents = codec.encode(frames)
    assert latents.shape == (3, *codec.latent_shape)
    assert codec.decode(latents).shape == frames.shape


def test_encoding_is_deterministic_and_independent_of_the_group(tiny):
    """A frame has the same latent wherever it stands in the clip, and every time."""
    codec = LatentCodec(tiny.vae, height=16, width=16, device=CPU)
    frame = torch.rand(1, 16, 16, 3)
    clip = torch.cat([frame] * 6)
    latents = codec.encode(clip)
    assert torch.equal(latents, codec.encode(frame).expand_as(latents))
