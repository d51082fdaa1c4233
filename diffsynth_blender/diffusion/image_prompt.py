"""A picture as a prompt: what an IP-Adapter (arXiv 2308.06721) that was added to a U-Net is given to read."""

from typing import Any

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.embeddings import ImageProjection


@torch.inference_mode()
def embed_picture(
    unet: UNet2DConditionModel, image_encoder: Any, feature_extractor: Any, picture: torch.Tensor
) -> torch.Tensor:
    """Embeddings of a picture (H, W, 3) in [0, 1], negative and positive: (2, 1, channels) or (2, 1, tokens, channels).

    Adapters that project one vector read the picture as a whole, the others the image encoder's last tokens but one;
    the negative row is what diffusers' pipelines take for no picture. Raises ValueError for a U-Net without an adapter.
    """
    projection = unet.encoder_hid_proj
    if projection is None or not hasattr(projection, "image_projection_layers"):
        raise ValueError("the U-Net has no IP-Adapter to read a picture with")
    # The extractor's own conversion from bytes is the one that adapters were trained behind.
    pixels = feature_extractor((picture.clamp(0, 1) * 255).round().byte().cpu().numpy(), return_tensors="pt")
    pixels = pixels.pixel_values.to(image_encoder.device, image_encoder.dtype)
    if isinstance(projection.image_projection_layers[0], ImageProjection):
        positive = image_encoder(pixels).image_embeds
        negative = torch.zeros_like(positive)
    else:
        positive = image_encoder(pixels, output_hidden_states=True).hidden_states[-2]
        negative = image_encoder(torch.zeros_like(pixels), output_hidden_states=True).hidden_states[-2]
    return torch.cat([negative, positive])[:, None]
