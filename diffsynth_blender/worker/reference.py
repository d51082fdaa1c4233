"""The picture whose look a job takes over, as the networks want it."""

import numpy as np
import torch
from PIL import Image

from ..diffusion.families import Reference as AttendedPicture
from ..diffusion.image_prompt import embed_picture
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
        self.image_embeds = None
        """For the IP-Adapter, negative and positive; None without one."""
        if wanted.ip_adapter:
            unet = checkpoint.network
            self.image_embeds = embed_picture(
                unet, checkpoint.image_encoder, checkpoint.feature_extractor, torch.from_numpy(picture)
            )
            for processor in unet.attn_processors.values():
                if hasattr(processor, "scale"):
                    processor.scale = [wanted.ip_adapter_scale] * len(processor.scale)


def _attended(image: Image.Image, checkpoint: Checkpoint, codec: LatentCodec, seed: int) -> AttendedPicture:
    """The picture's latents, at about as many pixels as a frame has, in its own aspect."""
    _, h, w = codec.latent_shape
    scale = (h * w / (image.height * image.width)) ** 0.5
    height, width = (max(1, round(side * scale)) * codec.factor for side in (image.height, image.width))
    pixels = np.asarray(image.resize((width, height), Image.Resampling.LANCZOS), np.float32) / 255
    own = LatentCodec(checkpoint.vae, height=height, width=width, device=checkpoint.vae.device)
    latents = own.encode(torch.from_numpy(pixels)[None]).cpu()
    return AttendedPicture(latents, fixed_noise(1, own.latent_shape, seed=seed))
