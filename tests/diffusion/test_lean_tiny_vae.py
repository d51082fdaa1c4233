import pytest
import torch
from diffusers import AutoencoderTiny

from diffsynth_blender.diffusion.lean_tiny_vae import lean_tiny_vae


def make(blocks, factor=2, mode="nearest"):
    """A tiny VAE of few channels and random weights whose decoder has these many blocks per stage."""
    torch.manual_seed(5)
    vae = AutoencoderTiny(
        encoder_block_out_channels=(6,) * len(blocks),
        decoder_block_out_channels=(6,) * len(blocks),
        num_encoder_blocks=(0,) * len(blocks),
        num_decoder_blocks=blocks,
        upsampling_scaling_factor=factor,
        upsample_fn=mode,
    )
    return vae.eval().requires_grad_(False)


@pytest.mark.parametrize("blocks", [(1, 1, 1, 0), (1, 0, 0), (1, 0)])
@pytest.mark.parametrize("size", [(5, 7), (1, 1), (1, 4), (2, 3)])
def test_a_linear_end_is_one_convolution_and_the_same_picture(blocks, size):
    """What follows the last activation becomes one convolution; every pixel stays, at the border too."""
    vae = make(blocks)
    lean = lean_tiny_vae(vae)
    assert type(lean.decoder.layers[-1]).__name__ == "_LinearEnd"
    latents = torch.randn(2, 4, *size, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(lean.decode(latents).sample, vae.decode(latents).sample, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("options", [{"blocks": (1, 1)}, {"blocks": (1, 0), "factor": 4},
                                     {"blocks": (1, 0), "mode": "bilinear"}])  # fmt: skip
def test_any_other_end_stays_as_it_is(options):
    """Blocks after the last widening, other factors and other ways of widening are computed as diffusers does."""
    vae = make(**options)
    lean = lean_tiny_vae(vae)
    assert type(lean.decoder.layers[-1]) is torch.nn.Conv2d
    latents = torch.randn(1, 4, 5, 6, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(lean.decode(latents).sample, vae.decode(latents).sample, atol=1e-5, rtol=1e-5)


def test_the_original_keeps_its_layers():
    """The lean VAE shares the weights and leaves the argument as it was."""
    vae = make((1, 0))
    lean = lean_tiny_vae(vae)
    assert {id(parameter) for parameter in lean.parameters()} == {id(parameter) for parameter in vae.parameters()}
    assert isinstance(vae.decoder.layers[-3], torch.nn.Upsample)
