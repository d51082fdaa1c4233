"""A latent diffusion model of real classes at tiny size, with random weights: enough for laws about the loop."""

from dataclasses import dataclass

import pytest
import torch
from diffusers import AutoencoderKL, ControlNetModel, DDIMScheduler, UNet2DConditionModel


@dataclass
class TinyModel:
    unet: UNet2DConditionModel
    vae: AutoencoderKL
    controlnets: list[ControlNetModel]
    text: torch.Tensor

    def scheduler(self, prediction_type="epsilon"):
        return DDIMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            clip_sample=False,
            set_alpha_to_one=False,
            steps_offset=1,
            prediction_type=prediction_type,
        )


@pytest.fixture(scope="session")
def tiny():
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        in_channels=4,
        out_channels=4,
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=32,
        attention_head_dim=8,
        norm_num_groups=8,
    ).eval()
    vae = AutoencoderKL(
        block_out_channels=(8, 16),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        norm_num_groups=4,
        scaling_factor=0.5,
    ).eval()
    controlnets = []
    for _ in range(2):
        net = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(8, 16)).eval()
        # A fresh ControlNet's outputs are zero by construction; these must say something.
        for parameter in net.controlnet_mid_block.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
        controlnets.append(net)
    for part in (unet, vae, *controlnets):
        part.requires_grad_(False)
    return TinyModel(unet, vae, controlnets, torch.randn(2, 7, 32))
