"""Where the ControlNet of the tile starts from: what it hears of a picture are the picture's latents."""

import numpy as np
import pytest
import torch

from diffsynth_blender.demo.train_decoder import to_tensor
from diffsynth_blender.demo.train_encoder import block_latents, measure_spread
from diffsynth_blender.demo.train_model import make_controlnet, make_unet
from diffsynth_blender.demo.train_procedural import draw_picture
from diffsynth_blender.demo.train_tile import set_tile_embedding


@pytest.mark.parametrize(("is_grey", "part_lost"), [(True, 1e-4), (False, 0.1)])
def test_the_net_hears_the_latents_of_its_picture(is_grey: bool, part_lost: float) -> None:
    """Of brightness it hears as good as all; of the slopes of colours, some is lost on the way."""
    rng = np.random.default_rng(0)
    coloured = np.stack([draw_picture(rng, size=64) for _ in range(16)])
    spread = measure_spread(to_tensor(coloured))
    pictures = to_tensor(np.repeat(coloured[..., 1:2], 3, axis=-1) if is_grey else coloured)
    net = make_controlnet(make_unet())
    with torch.no_grad():
        net.conv_in.bias.zero_()
        wanted = net.conv_in(block_latents(pictures, spread))
        set_tile_embedding(net, spread)
        heard = net.conv_in(torch.ones_like(wanted[:, : net.conv_in.in_channels]))  # nothing of the noisy latents
        heard = heard + net.controlnet_cond_embedding((pictures + 1) / 2)
    assert (heard - wanted).square().mean() < part_lost * wanted.var()
