"""A checkpoint with a job's settings, put to work on clips of the job's frames.

A clip is a list of the inputs' indices: the whole shot, its key frames, a range that is redone. Inside the engine its
frames are numbered from 0.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn import functional

from ..diffusion.attention import FrameAttention
from ..diffusion.conditioning import ControlInput
from ..diffusion.denoise import FRAME_BATCH
from ..diffusion.families import GuidedDenoiser, Split, make_denoiser
from ..diffusion.latents import LatentCodec, fewer_frames
from ..diffusion.memory import Ladder, Resident
from ..diffusion.per_frame import PerFrame
from ..diffusion.prompt import TextEmbeddings, encode_prompts
from ..diffusion.regions import RegionPrompts
from ..diffusion.sampler import Sampler
from ..diffusion.windows import Window, frame_windows
from ..models.checkpoint import Checkpoint, CheckpointError, CheckpointRequest, load_checkpoint
from ..motion.clip import Clip
from ..protocol import JOB_FILE, BadJobError, Job, ModelMissingError
from ..protocol.job import CACHE_FOLDER
from .animation import per_frame
from .codecs import make_codecs
from .context import RunContext
from .devices import number_format
from .inputs import Inputs
from .reference import ReferencePicture
from .token_paths import TokenPaths


@dataclass(frozen=True)
class ControlFrames:
    """The control images of a clip, made when asked for."""

    inputs: Inputs
    kind: str
    index: Sequence[int]
    """Of the clip's frames in the inputs."""
    codec: LatentCodec

    def __getitem__(self, frames: torch.Tensor) -> torch.Tensor:
        """Images (B, 3, H, W) of some frames, padded as the codec pads pictures."""
        images = [torch.from_numpy(self.inputs.control(self.kind, self.index[i])) for i in frames.tolist()]
        return self.codec.pad(torch.stack(images).permute(0, 3, 1, 2))


class Pipeline:
    """The model of a job, loaded, with everything that steers it."""

    def __init__(self, job: Job, inputs: Inputs, context: RunContext, *, device: torch.device) -> None:
        """Load the model.

        Raises:
            ModelMissingError: the model, or a part of it, is not there or damaged.
            BadJobError: the settings ask for what the model cannot do.
        """
        self._settings = job.settings
        self._inputs = inputs
        self.height, self.width = inputs.height, inputs.width
        """Of the frames [px]."""
        self._job_dir = context.job_dir
        self._device = device
        self._checkpoint = self._load(job, context, device)
        self.codec, self.loop_codec = make_codecs(
            self._checkpoint,
            context,
            height=inputs.height,
            width=inputs.width,
            device=device,
            batch=job.settings.batch,
        )
        self.ladder = self._make_ladder(context)
        """Calls an evaluation of the model in as many parts as memory asks for."""
        self.sampler()  # refuses, before anything is computed, what the settings leave no step for
        text = self._encode_text()
        self._text, self._region_text = text.rows(0, 2), text.rows(2, len(text.states)).states
        self._reference = None
        if job.settings.reference is not None:
            assert inputs.reference is not None
            self._reference = ReferencePicture(
                inputs.reference, job.settings.reference, self._checkpoint, self.codec, seed=job.settings.seed
            )

    @property
    def busy_networks(self) -> list[torch.nn.Module]:
        """Those that stay on the device."""
        return [self._checkpoint.network, *dict.fromkeys(control.net for control in self._checkpoint.controlnets)]

    @property
    def idle_networks(self) -> list[torch.nn.Module]:
        """Those that are on the device only while they are used."""
        vaes = filter(None, (self._checkpoint.vae, self._checkpoint.tiny_vae))
        return [*self._checkpoint.text_encoders, *vaes]

    def sampler(self) -> Sampler:
        """The sampler of a run, at its start. Raises BadJobError where the settings leave it nothing to do."""
        settings = self._settings
        try:
            return Sampler(
                settings.sampler,
                self._checkpoint.scheduler_config,
                steps=settings.steps,
                strength=settings.strength,
            )
        except ValueError as error:
            raise BadJobError(f"{JOB_FILE}: settings: {error}") from error

    def windows(self, count: int, *, alone: bool = False) -> list[Window]:
        """Which of `count` frames go through the model together; `alone`: none looks at another."""
        wanted = self._settings.attention
        if wanted is None or alone:
            size = self._settings.batch or FRAME_BATCH
            return frame_windows(count, size, size)
        return frame_windows(count, wanted.window, wanted.stride)

    @contextmanager
    def denoiser(self, index: Sequence[int], clip: Clip | None, *, alone: bool = False) -> Iterator[GuidedDenoiser]:
        """The model ready for a clip, for as long as the block lasts.

        Args:
            index: the clip's frames, as indices of the inputs.
            clip: their exact motion, where the attention follows it.
            alone: no frame looks at another one.

        Raises BadJobError where the model's family cannot do what the settings ask for.
        """
        attention = self._attention(clip, alone)
        regions = self._regions(index)
        try:
            yield self._ready(index, attention, regions)
        finally:
            for layers in (regions, attention):
                if layers is not None:
                    layers.detach()

    def _ready(
        self,
        index: Sequence[int],
        attention: FrameAttention | None,
        regions: RegionPrompts | None,
    ) -> GuidedDenoiser:
        try:
            for layers in (attention, regions):
                if layers is not None:
                    layers.attach(*self.busy_networks)
            return make_denoiser(
                self._checkpoint.family,
                self._checkpoint.network,
                self._text,
                vae=self._checkpoint.vae,
                size=self._padded_size(),
                guidance_scale=self._per_frame("guidance_scale", self._settings.guidance_scale, index),
                controls=self._controls(index),
                attention=attention,
                regions=regions,
                reference=self._reference.attended if self._reference and attention is not None else None,
                image_embeds=self._reference.image_embeds if self._reference else None,
            )
        except ValueError as error:
            raise BadJobError(f"{JOB_FILE}: settings: {error}") from error

    def _attention(self, clip: Clip | None, alone: bool) -> FrameAttention | None:
        wanted = None if alone else self._settings.attention
        with_reference = self._reference is not None and self._reference.attended is not None
        if wanted is None:
            return FrameAttention(("self",), with_reference=True) if with_reference else None
        correspond = None
        if wanted.motion != "off":
            assert clip is not None
            correspond = TokenPaths(
                clip,
                self._job_dir / CACHE_FOLDER / "token-paths.bin",
                latent_size=self.codec.latent_shape[1:],
                factor=self.codec.factor,
                window=wanted.window,
            )
        return FrameAttention(
            wanted.frames,
            with_reference=with_reference,
            motion=wanted.motion,  # type: ignore[arg-type]
            correspond=correspond,
        )

    def _padded_size(self) -> tuple[int, int]:
        """Height and width of what the latents show [px]."""
        _, h, w = self.codec.latent_shape
        return h * self.codec.factor, w * self.codec.factor

    def _make_ladder(self, context: RunContext) -> Ladder[Split]:
        """Guidance branches one after the other first, which always gives the same; then fewer frames at a time."""
        settings = self._settings
        splits = [Split(), Split(branches_apart=True)]
        if settings.attention is None:
            size = settings.batch or FRAME_BATCH
            splits += [Split(branches_apart=True, frames=call.frames) for call in fewer_frames(size)[1:]]
        return Ladder("frames through the model", splits, context.note)

    def _regions(self, index: Sequence[int]) -> RegionPrompts | None:
        regions = range(len(self._settings.regions))
        if not regions:
            return None
        masks = [torch.stack([self._region_cells(region, i) for i in index]) for region in regions]
        return RegionPrompts(torch.stack(masks), self._region_text)

    def _region_cells(self, region: int, index: int) -> torch.Tensor:
        """How much of each latent of a frame belongs to a region, (h, w) in [0, 1]."""
        mask = torch.from_numpy(self._inputs.region(region, index))[None, None]
        return functional.avg_pool2d(self.codec.pad(mask), self.codec.factor)[0, 0]

    def _controls(self, index: Sequence[int]) -> list[ControlInput]:
        return [
            ControlInput(
                loaded.net,
                ControlFrames(self._inputs, control.kind, index, self.codec),
                self._per_frame(f"controls.{control.kind}.scale", control.scale, index),
                control.start,
                control.end,
                loaded.union_mode,
            )
            for control, loaded in zip(self._settings.controls, self._checkpoint.controlnets, strict=True)
        ]

    def _per_frame(self, key: str, value: float, index: Sequence[int]) -> PerFrame:
        return per_frame(self._settings, key, value, [self._inputs.frames[i] for i in index])

    def _encode_text(self) -> TextEmbeddings:
        settings, checkpoint = self._settings, self._checkpoint
        # All of one length, so together: negative, positive, regions.
        prompts = [settings.negative_prompt, settings.prompt]
        prompts += [region.prompt or settings.prompt for region in settings.regions]
        try:
            # They are not needed again: from here on their place on a graphics card is free.
            with Resident(self._device, *checkpoint.text_encoders):
                return encode_prompts(
                    checkpoint.family,
                    checkpoint.tokenizers,
                    checkpoint.text_encoders,
                    prompts,
                    clip_skip=settings.clip_skip,
                )
        except ValueError as error:
            raise BadJobError(f"{JOB_FILE}: settings: {error}") from error

    @staticmethod
    def _load(job: Job, context: RunContext, device: torch.device) -> Checkpoint:
        settings = job.settings
        adapter = settings.reference.ip_adapter if settings.reference else ""
        request = CheckpointRequest(
            model=settings.model,
            controls=tuple((control.kind, control.model) for control in settings.controls),
            loras=tuple((lora.path, lora.weight) for lora in settings.loras),
            ip_adapter=Path(adapter) if adapter else None,
            vae=Path(settings.vae) if settings.vae else None,
            tiny_vae=settings.tiny_vae and settings.deflicker is not None,
        )
        try:
            return load_checkpoint(request, device=device, dtype=number_format(settings.precision, device))
        except CheckpointError as error:
            raise ModelMissingError(str(error)) from error
