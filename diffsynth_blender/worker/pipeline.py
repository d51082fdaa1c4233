"""A checkpoint put to work on the inputs of a job: prompt, controls, noised source frames, denoising."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch

from ..diffusion.conditioning import ControlInput
from ..diffusion.deflicker import Deflickering
from ..diffusion.denoise import StepDone, denoise
from ..diffusion.families import make_denoiser
from ..diffusion.latents import LatentCodec
from ..diffusion.prompt import encode_prompts
from ..diffusion.sampler import Sampler
from ..models.checkpoint import Checkpoint, CheckpointError, CheckpointRequest, load_checkpoint
from ..protocol import JOB_FILE, BadJobError, Job, ModelMissingError
from .devices import compute_dtype
from .inputs import Inputs
from .report import Stopwatch


class TimedCodec(LatentCodec):
    """The codec with its time counted as "vae", wherever it is called from."""

    def __init__(self, checkpoint: Checkpoint, watch: Stopwatch, *, height: int, width: int, device: torch.device):
        super().__init__(checkpoint.vae, height=height, width=width, device=device)
        self._watch = watch

    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        """See LatentCodec."""
        with self._watch.part("vae"):
            return super().encode(frames)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """See LatentCodec."""
        with self._watch.part("vae"):
            return super().decode(latents)


class Pipeline:
    """The job's model, loaded, with everything that steers it.

    Frames are addressed by their indices in the inputs.
    """

    def __init__(self, job: Job, inputs: Inputs, *, device: torch.device, watch: Stopwatch) -> None:
        """Load the model.

        Raises:
            ModelMissingError: the model, or a part of it, is not there or damaged.
            BadJobError: the settings ask for what the model cannot do.
        """
        self._settings = job.settings
        self._inputs = inputs
        self._device = device
        try:
            self._checkpoint = load_checkpoint(
                CheckpointRequest(
                    job.settings.model,
                    controls=tuple((control.kind, control.model) for control in job.settings.controls),
                ),
                device=device,
                dtype=compute_dtype(device),
            )
        except CheckpointError as error:
            raise ModelMissingError(str(error)) from error
        self.codec = TimedCodec(self._checkpoint, watch, height=job.shot.height, width=job.shot.width, device=device)
        try:
            self._text = encode_prompts(
                self._checkpoint.family,
                self._checkpoint.tokenizers,
                self._checkpoint.text_encoders,
                (job.settings.negative_prompt, job.settings.prompt),
                clip_skip=job.settings.clip_skip,
            )
            self._sampler()
        except ValueError as error:
            raise BadJobError(f"{JOB_FILE}: settings: {error}") from error

    @property
    def step_count(self) -> int:
        """Denoising steps of one run."""
        return self._sampler().step_count

    def start(self, noise: torch.Tensor, index: Sequence[int]) -> torch.Tensor:
        """Latents of the source frames `index`, noised to the first step with `noise` (T, C, h, w)."""
        latents = self.codec.encode(_stack(self._inputs.source(place) for place in index))
        return self._sampler().start(latents.cpu(), noise)

    def denoise(
        self,
        latents: torch.Tensor,
        index: Sequence[int],
        *,
        deflicker: Deflickering | None = None,
        first_step: int = 0,
        on_step: Callable[[StepDone], None] = lambda done: None,
        should_stop: Callable[[], bool],
    ) -> torch.Tensor:
        """Clean latents of the frames `index`; see `diffusion.denoise.denoise`."""
        _, height, width = self.codec.latent_shape
        denoiser = make_denoiser(
            self._checkpoint.family,
            self._checkpoint.network,
            self._text,
            vae=self._checkpoint.vae,
            size=(height * self.codec.factor, width * self.codec.factor),
            guidance_scale=self._settings.guidance_scale,
            controls=self._controls(index),
        )
        sampler = self._sampler()
        sampler.restore(first_step, {})
        return denoise(
            denoiser,
            sampler,
            latents.cpu(),
            deflicker=deflicker,
            first_step=first_step,
            on_step=on_step,
            should_stop=should_stop,
        )

    def _controls(self, index: Sequence[int]) -> list[ControlInput]:
        return [
            ControlInput(
                loaded.net,
                self.codec.pad(
                    _stack(self._inputs.control(control.kind, place) for place in index).permute(0, 3, 1, 2)
                ),
                control.scale,
                control.start,
                control.end,
                loaded.union_mode,
            )
            for control, loaded in zip(self._settings.controls, self._checkpoint.controlnets, strict=True)
        ]

    def _sampler(self) -> Sampler:
        wanted = self._settings
        return Sampler(wanted.sampler, self._checkpoint.scheduler_config, steps=wanted.steps, strength=wanted.strength)


def _stack(frames: Iterable[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(list(frames)))
