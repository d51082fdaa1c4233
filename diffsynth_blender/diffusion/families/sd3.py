"""Stable Diffusion 3: a flow-matching transformer whose ControlNets look at latents of the control images."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from diffusers import SD3Transformer2DModel

from ..conditioning import ControlImages, ControlInput, Progress
from ..per_frame import PerFrame, highest, rows
from ..prompt import TextEmbeddings
from .guidance import GuidedDenoiser


class EncodedImages:
    """Control images as latents, each frame encoded once, when it is first asked for, and kept on the CPU."""

    def __init__(self, images: ControlImages, vae: Any, *, shift: float) -> None:
        self._images, self._vae, self._shift = images, vae, shift
        self._kept: dict[int, torch.Tensor] = {}

    def __getitem__(self, frames: torch.Tensor) -> torch.Tensor:
        """Latents (B, C, h, w) of the frames (B,)."""
        for frame in frames.tolist():
            if frame not in self._kept:
                image = self._images[torch.tensor([frame])].to(self._vae.device, self._vae.dtype) * 2 - 1
                mean = self._vae.encode(image).latent_dist.mode()  # the mean, never a sample, as everywhere
                self._kept[frame] = ((mean - self._shift) * self._vae.config.scaling_factor).cpu()
        return torch.cat([self._kept[frame] for frame in frames.tolist()])


def encoded_controls(controls: Sequence[ControlInput], vae: Any) -> list[ControlInput]:
    """Controls that see pixels as controls that see latents, with the shift that each ControlNet was trained with."""
    return [
        replace(
            control,
            images=EncodedImages(
                control.images,
                vae,
                # ControlNets without the prompt's vector come from InstantX, which left the shift out too.
                shift=0.0 if control.net.config.force_zeros_for_pooled_projection else vae.config.shift_factor,
            ),
        )
        for control in controls
    ]


class SD3Denoiser(GuidedDenoiser):
    """The transformer with its ControlNets. Latents of an odd size are continued by one row or column meanwhile."""

    def __init__(
        self,
        transformer: SD3Transformer2DModel,
        text: TextEmbeddings,
        *,
        guidance_scale: PerFrame = 1.0,
        controls: Sequence[ControlInput] = (),
    ) -> None:
        """Put together what is evaluated.

        Args:
            transformer: computes in its own dtype and on its own device.
            text: two rows, negative and positive prompt, with pooled embeddings.
            guidance_scale: 1 (none) or more, also for each frame.
            controls: ControlNets with what they see as latents; see `encoded_controls`.
        """
        super().__init__(transformer, guidance_scale=guidance_scale)
        if text.pooled is None:
            raise ValueError("the transformer reads the prompt as one vector too, and the text encoders gave none")
        parameter = next(transformer.parameters())
        self._transformer = transformer
        self._text = text.states.to(parameter.device, parameter.dtype)
        self._pooled = text.pooled.to(self._text)
        self._controls = tuple(controls)
        for control in controls:
            if control.net.pos_embed is None:
                # Stable Diffusion 3.5's ControlNets have no patch embedding of their own.
                control.net.pos_embed = transformer.pos_embed

    def evaluate(
        self,
        x_t: torch.Tensor,
        timestep: torch.Tensor,
        frames: torch.Tensor,
        progress: Progress,
        branches: Sequence[int],
    ) -> torch.Tensor:
        """See GuidedDenoiser."""
        count, _, height, width = x_t.shape
        sample = self._whole_patches(torch.cat([x_t] * len(branches)))
        text, pooled = (values[list(branches)].repeat_interleave(count, dim=0) for values in (self._text, self._pooled))
        times = timestep.expand(len(sample))
        residuals: list[torch.Tensor] | None = None
        for control in self._controls:
            scale = control.scale_at(progress)
            if highest(scale) == 0:
                continue
            config = control.net.config
            latents = control.images[frames].to(sample).repeat(len(branches), 1, 1, 1)
            found = control.net(
                hidden_states=sample,
                timestep=times,
                encoder_hidden_states=None if config.joint_attention_dim is None else text,
                pooled_projections=torch.zeros_like(pooled) if config.force_zeros_for_pooled_projection else pooled,
                controlnet_cond=self._whole_patches(latents),
                conditioning_scale=rows(scale, frames, text, repeats=len(branches)),
                return_dict=False,
            )[0]
            residuals = list(found) if residuals is None else [a + b for a, b in zip(residuals, found, strict=True)]
        output = self._transformer(
            hidden_states=sample,
            timestep=times,
            encoder_hidden_states=text,
            pooled_projections=pooled,
            block_controlnet_hidden_states=residuals,
            return_dict=False,
        )[0]
        return output[..., :height, :width]

    def _whole_patches(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents (B, C, h, w) continued at the right and bottom edge to a multiple of the transformer's patches."""
        patch = self._transformer.config.patch_size
        bottom, right = -latents.shape[-2] % patch, -latents.shape[-1] % patch
        return torch.nn.functional.pad(latents, (0, right, 0, bottom), mode="replicate")
