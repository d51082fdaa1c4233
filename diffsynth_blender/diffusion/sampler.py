"""Samplers: diffusers' schedulers, one for one run over the whole clip.

The scheduler owns timesteps, sigmas and the step; here is only what its classes do not share: the noise level of a
step, where a run starts, noise that the caller chooses, and a history that can be kept on disk. Multi-step samplers
remember what the model's output meant; as the loop puts the deflickered x0 into the output, that is what they remember.
"""

from collections.abc import Mapping
from typing import Any

import torch

from .prediction import NoiseLevel
from .sampler_kinds import SAMPLERS, checkpoint_prediction

__all__ = ["SAMPLERS", "Sampler", "checkpoint_prediction"]


class Sampler:
    """A scheduler with its timesteps set. Steps are numbered 0..step_count-1 and made in order."""

    def __init__(
        self,
        name: str,
        scheduler_config: Mapping[str, Any],
        *,
        steps: int,
        strength: float,
        device: torch.device | str = "cpu",
    ) -> None:
        """Choose the timesteps: the last `steps * strength` of the schedule, as diffusers' image-to-image pipelines do.

        Args:
            name: one of `SAMPLERS`.
            scheduler_config: the settings of the checkpoint's scheduler, whatever its class.
            steps: denoising steps of the whole schedule.
            strength: share of it that is run, above 0 to 1.
            device: where the latents of the clip are kept; the steps are made there.

        Raises:
            ValueError: the strength leaves no step, or the sampler cannot do what the model predicts.
        """
        self.prediction_type = checkpoint_prediction(scheduler_config)
        kind = SAMPLERS[name]
        if self.prediction_type not in kind.predictions:
            able = ", ".join(other for other in SAMPLERS if self.prediction_type in SAMPLERS[other].predictions)
            raise ValueError(f"sampler {name!r} cannot be used with this model ({self.prediction_type}); use {able}")
        if scheduler_config.get("use_dynamic_shifting"):
            raise ValueError("the model's schedule depends on the size of the picture; use a model whose does not")
        options = dict(kind.options)
        flow = self.prediction_type == "flow_prediction"
        if flow and kind.space != "flow":
            shift = scheduler_config.get("shift", scheduler_config.get("flow_shift", 1.0))
            options |= {"use_flow_sigmas": True, "flow_shift": shift, "prediction_type": "flow_prediction"}
        self._name = name
        self._kind = kind
        self._space = "flow" if flow else kind.space
        self._config = {key: value for key, value in scheduler_config.items() if key not in options} | options
        self._steps = steps
        self._device = torch.device(device)
        self._scheduler = self._fresh_scheduler()
        kept = min(int(steps * strength), steps)
        if kept < 1:
            raise ValueError(f"strength {strength} of {steps} steps leaves no step to run; raise either")
        self._from_noise = strength >= 1
        self._first = len(self._scheduler.timesteps) - kept
        self.timesteps: torch.Tensor = self._scheduler.timesteps[self._first :]
        """Those that are run, falling."""
        self.restore(0, {})

    @property
    def step_count(self) -> int:
        """Steps of the run."""
        return len(self.timesteps)

    @property
    def needs_fresh(self) -> bool:
        """Whether steps but the last draw noise anew, which the caller then hands to `advance`."""
        return bool(self._kind.eta)

    def level(self, step: int) -> NoiseLevel:
        """Noise level of the latents that enter a step."""
        if self._space == "alphas":
            alpha = float(self._scheduler.alphas_cumprod[self.timesteps[step]])
            return NoiseLevel(alpha**0.5, (1 - alpha) ** 0.5)
        sigma = float(self._scheduler.sigmas[self._first + step])
        if self._space == "flow":
            return NoiseLevel(1 - sigma, sigma)
        if self._space == "exploding":
            return NoiseLevel(1.0, sigma)
        r = (1 + sigma * sigma) ** 0.5
        return NoiseLevel(1 / r, sigma / r)

    def model_input(self, latents: torch.Tensor, step: int) -> torch.Tensor:
        """What the model is given for the latents that enter a step: of variance 1 where theirs grows with sigma."""
        if self._space != "exploding":
            return latents
        return latents / (self._scheduler.sigmas[self._first + step] ** 2 + 1) ** 0.5

    def start(self, latents: torch.Tensor | None, noise: torch.Tensor) -> torch.Tensor:
        """Latents (T, C, h, w) that enter the first step.

        Args:
            latents: those of the source frames; not looked at when the strength is 1: the run starts from noise alone.
            noise: (T, C, h, w) of standard deviation 1.
        """
        if self._from_noise:
            return noise * getattr(self._scheduler, "init_noise_sigma", 1.0)
        if latents is None:
            raise ValueError("a strength below 1 starts from the source frames")
        timestep = self.timesteps[:1].to(latents.device)
        if self._kind.space == "flow":
            return self._scheduler.scale_noise(latents, timestep, noise)
        return self._scheduler.add_noise(latents, noise, timestep)

    def advance(
        self, output: torch.Tensor, step: int, latents: torch.Tensor, fresh: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Latents after a step, from those before it and the model's output, all (T, C, h, w) float32.

        `fresh` is the noise (T, C, h, w) that `needs_fresh` samplers inject; the last step injects none.
        """
        if step != self._next:
            raise ValueError(f"step {step} cannot follow step {self._next - 1}; restore the state before it")
        self._next += 1
        timestep = self.timesteps[step]
        if not self._kind.eta:
            return self._scheduler.step(output, timestep, latents, return_dict=False)[0]
        # These draw noise themselves; theirs is not used, as frames are to share what the caller chose.
        options: dict[str, Any] = {"generator": torch.Generator(output.device).manual_seed(0), "return_dict": False}
        if self._name == "tcd":
            options["eta"] = self._kind.eta
        stepped, denoised = self._scheduler.step(output, timestep, latents, **options)
        if step == self.step_count - 1:
            return stepped
        if fresh is None:
            raise ValueError(f"sampler {self._name!r} needs the noise that it injects")
        return self._renoise(denoised, self.timesteps[step + 1], fresh)

    def state(self) -> dict[str, torch.Tensor]:
        """What the steps so far leave behind for those to come, as tensors that can be saved; {} for most samplers."""
        state: dict[str, torch.Tensor] = {}
        for name in self._kind.history:
            value = getattr(self._scheduler, name, None)
            parts = dict(enumerate(value)) if isinstance(value, list) else {"": value}
            state |= {f"{name}{i}": torch.as_tensor(part) for i, part in parts.items() if part is not None}
        return state

    def restore(self, step: int, state: Mapping[str, torch.Tensor]) -> None:
        """Go on with `step` as if the steps before it had been made, from the `state` after the last of them."""
        self._scheduler = self._fresh_scheduler()
        self._next = step
        if hasattr(self._scheduler, "set_begin_index"):
            self._scheduler.set_begin_index(self._first + step)
        for name in self._kind.history:
            value = getattr(self._scheduler, name, None)
            if isinstance(value, list):
                kept = [state.get(f"{name}{i}") for i in range(len(value))]
                setattr(self._scheduler, name, [None if part is None else part.to(self._device) for part in kept])
            elif name in state:
                part = state[name]
                setattr(self._scheduler, name, part.to(self._device) if part.dim() else int(part))

    def _fresh_scheduler(self) -> Any:
        scheduler = self._kind.scheduler.from_config(self._config)
        scheduler.set_timesteps(self._steps, device=self._device)
        # The input is scaled by `model_input`, for any step; without this the class warns that nobody did.
        scheduler.is_scale_input_called = True
        return scheduler

    def _renoise(self, denoised: torch.Tensor, timestep: torch.Tensor, fresh: torch.Tensor) -> torch.Tensor:
        """Noise up to the level of the next timestep from where LCM (clean) or TCD (gamma of the way) has gone."""
        alphas = self._scheduler.alphas_cumprod
        target = alphas[timestep]
        reached = 1.0
        if self._name == "tcd":
            # Algorithm 4 of the paper: s = (1 - gamma) t_next
            reached = alphas[torch.floor((1 - (self._kind.eta or 0.0)) * timestep).long()]
        return (target / reached).sqrt() * denoised + (1 - target / reached).sqrt() * fresh
