"""What the loop knows of a family, and what all families share: guidance, and calls that are as large as memory allows.

Classifier-free guidance (Ho & Salimans 2022) evaluates two branches, the negative and the positive prompt. They go
through the network together, branch after branch: [negative frames..., positive frames...].
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from ..conditioning import NEGATIVE, POSITIVE, Progress
from ..per_frame import PerFrame, highest, rows
from ..sampler import Sampler


@dataclass(frozen=True)
class Split:
    """How an evaluation is cut into network calls where memory is scarce; the result is the same, up to rounding."""

    branches_apart: bool = False
    """Guidance branches one after the other."""
    frames: int = 0
    """At most so many frames in a call, 0 for all; only where frames do not look at each other."""

    def __str__(self) -> str:
        some = f"{self.frames} at a time" if self.frames else "a window at a time"
        return some + (", negative and positive prompt one after the other" if self.branches_apart else "")


class Denoiser(Protocol):
    """A model with everything that steers it, as the loop sees it."""

    @property
    def frames_apart(self) -> bool:
        """Whether frames may be evaluated in any groups, as none looks at another."""

    def begin_step(self, step: int, timestep: torch.Tensor, sampler: Sampler) -> None:
        """A new step: what was kept from the one before is forgotten, a reference picture is looked at."""

    def __call__(
        self, x_t: torch.Tensor, timestep: torch.Tensor, frames: torch.Tensor, progress: Progress, split: Split
    ) -> torch.Tensor:
        """The guided output (B, C, h, w), float32 on the network's device.

        Args:
            x_t: the sampler's model input (B, C, h, w), on any device.
            timestep: of the step.
            frames: indices (B,) in the clip, on the CPU.
            progress: shares of the run at which the step begins and ends, for controls that do not always count.
            split: into which calls the evaluation is cut.
        """


class GuidedDenoiser:
    """A `Denoiser` of one network. A family adds how a call of it is made."""

    def __init__(self, network: torch.nn.Module, *, guidance_scale: PerFrame) -> None:
        self.network = network
        self.guidance_scale = guidance_scale
        """1 switches guidance off: the negative prompt is then not evaluated."""

    @property
    def branches(self) -> tuple[int, ...]:
        """Which branches are evaluated."""
        return (NEGATIVE, POSITIVE) if highest(self.guidance_scale) > 1 else (POSITIVE,)

    @property
    def frames_apart(self) -> bool:
        """See Denoiser."""
        return True

    def begin_step(self, step: int, timestep: torch.Tensor, sampler: Sampler) -> None:
        """See Denoiser; nothing is kept from step to step."""

    def evaluate(
        self,
        x_t: torch.Tensor,
        timestep: torch.Tensor,
        frames: torch.Tensor,
        progress: Progress,
        branches: Sequence[int],
    ) -> torch.Tensor:
        """Call the network once: output (branches * B, C, h, w) for x_t (B, C, h, w) in each of the branches."""
        raise NotImplementedError

    @torch.inference_mode()
    def __call__(
        self, x_t: torch.Tensor, timestep: torch.Tensor, frames: torch.Tensor, progress: Progress, split: Split
    ) -> torch.Tensor:
        """See Denoiser."""
        parameter = next(self.network.parameters())
        x_t = x_t.to(parameter.device, parameter.dtype)
        timestep = timestep.to(parameter.device)
        size = split.frames if split.frames and self.frames_apart else len(frames)
        calls = [(branch,) for branch in self.branches] if split.branches_apart else [self.branches]
        outputs = []
        for first in range(0, len(frames), size):
            part = slice(first, first + size)
            found = [self.evaluate(x_t[part], timestep, frames[part], progress, call).float() for call in calls]
            outputs.append(self._guided(torch.cat(found), frames[part]))
        return torch.cat(outputs)

    def _guided(self, output: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
        if len(self.branches) == 1:
            return output
        negative, positive = output.chunk(2)
        return negative + rows(self.guidance_scale, frames, negative) * (positive - negative)
