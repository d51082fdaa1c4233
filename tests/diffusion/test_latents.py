import pytest
import torch

from diffsynth_blender.diffusion.latents import LatentCodec, groups

CPU = torch.device("cpu")


def test_groups_cover_every_index_once_before_filling_up():
    """Every index comes in order, groups have one size, and only the last index is repeated."""
    for count in (1, 3, 4, 9):
        index = torch.cat(list(groups(count, 4)))
        assert len(index) % 4 == 0
        assert index[:count].tolist() == list(range(count))
        assert set(index[count:].tolist()) <= {count - 1}


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
