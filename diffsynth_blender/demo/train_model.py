"""The demo model's parts at their sizes, in diffusers' and transformers' own classes, and the folder they ship in."""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL, ControlNetModel, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

LATENT_CHANNELS = 21
"""See train_encoder.COEFFICIENTS."""
TEXT_CHANNELS = 96


def make_vae() -> AutoencoderKL:
    """Autoencoder of factor 8.

    16 channels at full resolution: there a convolution costs the most and the pictures are smooth.
    No attention, so that memory grows with the picture's area and not its square.
    """
    return AutoencoderKL(
        block_out_channels=(16, 32, 64, 96),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=2,
        mid_block_add_attention=False,
        use_quant_conv=False,
        use_post_quant_conv=False,
        force_upcast=False,
        sample_size=256,
        scaling_factor=1.0,
    )


def make_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """Two layers: it has to tell a few looks and a few hundred words apart."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=TEXT_CHANNELS,
        intermediate_size=2 * TEXT_CHANNELS,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=tokenizer.model_max_length,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return CLIPTextModel(config)


def make_unet() -> UNet2DConditionModel:
    """Three levels, attention at the lowest.

    Measured with both ControlNets: 0.05 s of processor time for a training sample of 128 px, 0.14 s for one of 256 px.
    """
    return UNet2DConditionModel(
        sample_size=32,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        block_out_channels=(64, 112, 144),
        down_block_types=("DownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=TEXT_CHANNELS,
        attention_head_dim=4,
        norm_num_groups=16,
    )


def make_controlnet(unet: UNet2DConditionModel) -> ControlNetModel:
    """A ControlNet beside the U-Net.

    It is trained together with the U-Net from the start, so its outputs do not begin at zero, as they would beside a
    finished model: zero outputs would leave it without a gradient worth following for hundreds of steps.
    """
    net = ControlNetModel.from_unet(
        unet, conditioning_embedding_out_channels=(8, 16, 32, 64), load_weights_from_unet=False
    )
    outputs = [*net.controlnet_down_blocks, net.controlnet_mid_block, net.controlnet_cond_embedding.conv_out]
    for output in outputs:
        torch.nn.init.kaiming_uniform_(output.weight, a=5**0.5)
    return net


def make_scheduler() -> DDIMScheduler:
    """Stable Diffusion's noise schedule with v prediction: x0 stays well determined at every noise level."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=True,
        prediction_type="v_prediction",
        timestep_spacing="trailing",
    )
