"""Stable Diffusion 1.5, 2 and SDXL: U-Nets with ControlNets.

SDXL also reads the prompt as one vector, and the sizes of the picture it was trained to expect.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from diffusers import UNet2DConditionModel

from ..attention import FrameAttention
from ..conditioning import NEGATIVE, ControlInput, Progress, control_residuals
from ..per_frame import PerFrame
from ..prompt import TextEmbeddings
from ..regions import RegionPrompts
from ..sampler import Sampler
from .guidance import GuidedDenoiser


@dataclass(frozen=True)
class Reference:
    """A picture that every frame looks at in its self-attention."""

    latents: torch.Tensor
    """(1, C, h, w) float32, of any size."""
    noise: torch.Tensor
    """(1, C, h, w): it is noised to the level of each step with this."""


class UNetDenoiser(GuidedDenoiser):
    """A U-Net with ControlNets, attention across frames, prompts by region and an IP-Adapter's images."""

    def __init__(
        self,
        unet: UNet2DConditionModel,
        text: TextEmbeddings,
        *,
        guidance_scale: PerFrame = 1.0,
        size: tuple[int, int] = (512, 512),
        controls: Sequence[ControlInput] = (),
        attention: FrameAttention | None = None,
        regions: RegionPrompts | None = None,
        reference: Reference | None = None,
        image_embeds: torch.Tensor | None = None,
    ) -> None:
        """Put together what is evaluated.

        Args:
            unet: computes in its own dtype and on its own device; its weights, like those of the ControlNets, are put
                in another order in memory.
            text: two rows, negative and positive prompt.
            guidance_scale: 1 (none) or more, also for each frame.
            size: height and width of the pictures [px]; SDXL is told them.
            controls: ControlNets with what they see.
            attention: attached to the networks that use it.
            regions: attached to the networks that use it.
            reference: what the attention's reference is.
            image_embeds: for an IP-Adapter, two rows; see `image_prompt.embed_picture`.

        Raises:
            ValueError: a U-Net that wants an input which the loop does not have.
        """
        super().__init__(unet, guidance_scale=guidance_scale)
        if unet.config.time_cond_proj_dim is not None:
            raise ValueError("models that take the guidance scale as an input are not supported; use an LCM LoRA")
        if unet.config.in_channels != unet.config.out_channels:
            raise ValueError(
                f"a U-Net of {unet.config.in_channels} input channels is for inpainting or editing; use a base model"
            )
        # The same numbers in the order that convolutions like: 0.51 for 0.64 s for 8 rows of the demo model with one
        # ControlNet at 384x256 on a CPU core, and what half precision wants on a GPU.
        for network in (unet, *(control.net for control in controls)):
            network.to(memory_format=torch.channels_last)
        parameter = next(unet.parameters())
        self._unet = unet
        self._text = text.states.to(parameter.device, parameter.dtype)
        self._added: dict[str, torch.Tensor] = {}
        if unet.config.addition_embed_type == "text_time":
            if text.pooled is None:
                raise ValueError("this U-Net reads the prompt as one vector too, and the text encoders gave none")
            # original size, offset of the crop, size wanted: a picture that was never scaled or cropped.
            self._added["text_embeds"] = text.pooled.to(self._text)
            self._added["time_ids"] = torch.tensor([[*size, 0, 0, *size]] * 2).to(self._text)
        self._image_embeds = None if image_embeds is None else image_embeds.to(self._text)
        self._controls = tuple(controls)
        self._attention = attention
        self._regions = regions
        self._reference = reference

    @property
    def frames_apart(self) -> bool:
        """See Denoiser."""
        return self._attention is None

    def begin_step(self, step: int, timestep: torch.Tensor, sampler: Sampler) -> None:
        """See Denoiser."""
        if self._attention is None:
            return
        self._attention.begin_step()
        if self._reference is not None:
            level, reference = sampler.level(step), self._reference
            noised = level.signal * reference.latents + level.noise * reference.noise
            self._look_at(sampler.model_input(noised, step).to(self._text), timestep.to(self._text.device))

    @torch.inference_mode()
    def _look_at(self, picture: torch.Tensor, timestep: torch.Tensor) -> None:
        """Let the attention keep what the U-Net sees of a picture (1, C, h, w)."""
        assert self._attention is not None
        for branch in self.branches:
            if self._regions is not None:
                # Regions lie on frames, not on this picture, and leave the negative branch alone.
                self._regions.batch([0], 1, only=NEGATIVE)
            with self._attention.recording("reference", only=branch):
                self._call(picture, timestep, (branch,), None, None)

    def evaluate(
        self,
        x_t: torch.Tensor,
        timestep: torch.Tensor,
        frames: torch.Tensor,
        progress: Progress,
        branches: Sequence[int],
    ) -> torch.Tensor:
        """See GuidedDenoiser."""

        def announce(shown: Sequence[int]) -> None:
            for listener in (self._attention, self._regions):
                if listener is not None:
                    listener.batch(frames, len(shown), only=shown[0] if len(shown) == 1 else None)

        down, middle = control_residuals(
            self._controls,
            frames,
            torch.cat([x_t] * len(branches)),
            timestep,
            text=self._rows(self._text, branches, len(x_t)),
            added={name: self._rows(value, branches, len(x_t)) for name, value in self._added.items()} or None,
            branches=branches,
            progress=progress,
            announce=announce,
        )
        announce(branches)
        return self._call(x_t, timestep, branches, down, middle)

    def _call(
        self,
        x_t: torch.Tensor,
        timestep: torch.Tensor,
        branches: Sequence[int],
        down: list[torch.Tensor] | None,
        middle: torch.Tensor | None,
    ) -> torch.Tensor:
        added = {name: self._rows(value, branches, len(x_t)) for name, value in self._added.items()}
        images = {}
        if self._image_embeds is not None:
            images["image_embeds"] = [self._rows(self._image_embeds, branches, len(x_t))]
        return self._unet(
            torch.cat([x_t] * len(branches)),
            timestep,
            encoder_hidden_states=self._rows(self._text, branches, len(x_t)),
            added_cond_kwargs={**added, **images} or None,
            down_block_additional_residuals=down,
            mid_block_additional_residual=middle,
            return_dict=False,
        )[0]

    @staticmethod
    def _rows(values: torch.Tensor, branches: Sequence[int], count: int) -> torch.Tensor:
        """Of values (2, ...) those of the branches, each `count` times: (branches * count, ...)."""
        return values[list(branches)].repeat_interleave(count, dim=0)
