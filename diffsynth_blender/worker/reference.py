"""The picture whose look a job takes over, as the networks want it."""

import numpy as np
import torch
from PIL import Image

from ..diffusion.families import Reference as AttendedPicture
from ..diffusion.latents import LatentCodec
from ..diffusion.noise import fixed_noise
from ..models.checkpoint import Checkpoint
from ..protocol import Reference


class ReferencePicture:
    """What the networks look at."""

    def __init__(
        self, picture: np.ndarray, wanted: Reference, checkpoint: Checkpoint, codec: LatentCodec, *, seed: int
    ) -> None:
        """Encode a picture (H, W, 3) in [0, 1] of any size, for what is wanted of it."""
        image = Image.fromarray(np.rint(picture * 255).astype(np.uint8))
        self.attended = _attended(image, checkpoint, codec, seed) if wanted.attention else None
        """For self-attention; None where it is not wanted."""
        self.image_embeds = _embed(image, checkpoint, wanted.ip_adapter_scale) if wanted.ip_adapter else None
        """For the IP-Adapter: negative and positive embeddings (2, 1, channels); None without one."""


def _attended(image: Image.Image, checkpoint: Checkpoint, codec: LatentCodec, seed: int) -> AttendedPicture:
    """The picture's latents, at about as many pixels as a frame has, in its own aspect."""
    _, h, w = codec.latent_shape
    scale = (h * w / (image.height * image.width)) ** 0.5
    height, width = (max(1, round(side * scale)) * codec.factor for side in (image.height, image.width))
    pixels = np.asarray(image.resize((width, height), Image.Resampling.LANCZOS), np.float32) / 255
    own = LatentCodec(checkpoint.vae, height=height, width=width, device=checkpoint.vae.device)
    latents = own.encode(torch.from_numpy(pixels)[None]).cpu()
    return AttendedPicture(latents, fixed_noise(1, own.latent_shape, seed=seed))


def _embed(image: Image.Image, checkpoint: Checkpoint, scale: float) -> torch.Tensor:
    encoder = checkpoint.image_encoder
    assert encoder is not None and checkpoint.feature_extractor is not None
    pixels = checkpoint.feature_extractor(images=image, return_tensors="pt").pixel_values
    with torch.inference_mode():
        embeds = encoder(pixels.to(encoder.device, encoder.dtype)).image_embeds[:, None].float().cpu()
    for processor in checkpoint.network.attn_processors.values():
        if hasattr(processor, "scale"):
            processor.scale = [scale] * len(processor.scale)
    return torch.cat([torch.zeros_like(embeds), embeds])
