"""Latent diffusion models of diffusers' real classes at tiny size, with random weights: enough for laws about the code.

A random VAE's decoder does not undo its encoder, so pictures mean nothing here; the demo model is for those.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL, ControlNetModel, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

TEXT_CHANNELS = 32


@dataclass
class TinyModel:
    """The networks, and embeddings in place of a text encoder's."""

    unet: UNet2DConditionModel
    vae: AutoencoderKL
    controlnets: list[ControlNetModel]
    text: torch.Tensor
    """Embeddings (2, tokens, channels), negative and positive."""

    def scheduler(self, prediction_type: str = "epsilon") -> DDIMScheduler:
        """A DDIM scheduler set as Stable Diffusion's."""
        return DDIMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            clip_sample=False,
            set_alpha_to_one=False,
            steps_offset=1,
            prediction_type=prediction_type,
        )


def make_tiny_model() -> TinyModel:
    """A U-Net, a VAE of factor 2 and two ControlNets whose residuals are not zero."""
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        in_channels=4,
        out_channels=4,
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=TEXT_CHANNELS,
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
    return TinyModel(unet, vae, controlnets, torch.randn(2, 7, TEXT_CHANNELS))


def save_tiny_model(folder: Path) -> Path:
    """Write a tiny model in the layout of the demo model and return its folder."""
    tiny = make_tiny_model()
    tiny.unet.save_pretrained(folder / "unet")
    tiny.vae.save_pretrained(folder / "vae")
    tiny.scheduler().save_pretrained(folder / "scheduler")
    for name, net in zip(("controlnet_depth", "controlnet_normal"), tiny.controlnets, strict=True):
        net.save_pretrained(folder / name)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = CLIPTokenizer({word: i for i, word in enumerate(words)}, [], model_max_length=16)
    tokenizer.save_pretrained(folder / "tokenizer")
    config = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=TEXT_CHANNELS,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=16,
        eos_token_id=len(words) - 1,
    )
    CLIPTextModel(config).save_pretrained(folder / "text_encoder")
    (folder / "model_index.json").write_text('{"_class_name": "StableDiffusionControlNetPipeline"}\n')
    return folder
