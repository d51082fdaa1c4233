"""Control images through ControlNets: any number of them, each with its strength and its part of the schedule."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from .per_frame import PerFrame, highest, rows

NEGATIVE, POSITIVE = 0, 1
"""The two branches of classifier-free guidance, as rows of the text embeddings; without guidance only the positive."""

Progress = tuple[float, float]
"""Shares of the run at which a step begins and ends, 0 to 1."""


class ControlImages(Protocol):
    """Control images by frame: a tensor (T, 3, H, W), or whatever fetches them when asked."""

    def __getitem__(self, frames: torch.Tensor, /) -> torch.Tensor:
        """Images (B, 3, H, W) in [0, 1] of the frames (B,), H and W multiples of the VAE's scale factor."""


@dataclass(frozen=True)
class ControlInput:
    """One ControlNet with what it sees of the clip."""

    net: Any
    """ControlNetModel, ControlNetUnionModel (then `union_mode` is set) or SD3ControlNetModel."""
    images: ControlImages
    scale: PerFrame = 1.0
    """Factor on the residuals."""
    start: float = 0.0
    """Share of the run before which it does not count."""
    end: float = 1.0
    """Share of the run after which it does not count."""
    union_mode: int | None = None
    """Which kind of control the images are, for a union model. Controls that share one are shown to it together."""

    def __post_init__(self) -> None:
        """Raise ValueError where a union model would have to weigh its controls anew for every frame."""
        if self.union_mode is not None and isinstance(self.scale, torch.Tensor):
            raise ValueError("the scale of a union ControlNet cannot change from frame to frame; give it one value")

    def scale_at(self, progress: Progress) -> PerFrame:
        """The factor in a step: 0 unless the step lies wholly between start and end, as diffusers' pipelines do."""
        return 0.0 if progress[0] < self.start or progress[1] > self.end else self.scale


Residuals = tuple[list[torch.Tensor], torch.Tensor]
"""For the U-Net's down blocks and its middle block."""


def control_residuals(
    controls: Sequence[ControlInput],
    frames: torch.Tensor,
    x_t: torch.Tensor,
    timestep: torch.Tensor,
    *,
    text: torch.Tensor,
    added: dict[str, torch.Tensor] | None,
    branches: Sequence[int],
    progress: Progress,
    announce: Callable[[Sequence[int]], None] = lambda branches: None,
) -> Residuals | tuple[None, None]:
    """Sum of all ControlNets' residuals, in the order of the controls; None where none counts in this step.

    Args:
        controls: the ControlNets of a U-Net.
        frames: indices (B,) in the clip.
        x_t: model input (branches * B, C, h, w), branch after branch.
        timestep: of the step.
        text: embeddings (branches * B, tokens, channels).
        added: what else the networks of the family are conditioned on, rows as x_t; None for nothing.
        branches: which are in x_t.
        progress: where the step lies in the run.
        announce: told before each call which branches it holds, for attention that looks at other frames.
    """
    total: Residuals | None = None
    count = len(frames)
    for group in _by_network(controls):
        net = group[0].net
        scales = [control.scale_at(progress) for control in group]
        # Such a net (shuffle) describes the picture as a whole: it steers what is wanted, not what is avoided.
        wanted_only = bool(net.config.global_pool_conditions) and NEGATIVE in branches
        if not any(map(highest, scales)) or (wanted_only and POSITIVE not in branches):
            continue
        of_shown = slice(branches.index(POSITIVE) * count if wanted_only else 0, None)
        shown = (POSITIVE,) if wanted_only else tuple(branches)
        announce(shown)
        images = [
            control.images[frames].to(device=x_t.device, dtype=x_t.dtype).repeat(len(shown), 1, 1, 1)
            for control in group
        ]
        scale = rows(scales[0], frames, x_t[of_shown], repeats=len(shown))
        options: dict[str, Any] = {"controlnet_cond": images[0], "conditioning_scale": scale}
        if group[0].union_mode is not None:
            modes = [control.union_mode for control in group]
            kinds = torch.zeros(net.config.num_control_type, device=x_t.device, dtype=x_t.dtype)
            kinds[modes] = 1
            options = {
                "controlnet_cond": images,
                "conditioning_scale": scales,
                "control_type": kinds.expand(len(images[0]), -1),
                "control_type_idx": modes,
            }
        down, middle = net(
            x_t[of_shown],
            timestep,
            encoder_hidden_states=text[of_shown],
            added_cond_kwargs=None if added is None else {name: value[of_shown] for name, value in added.items()},
            return_dict=False,
            **options,
        )
        if wanted_only:
            down = [torch.cat([torch.zeros_like(part), part]) for part in down]
            middle = torch.cat([torch.zeros_like(middle), middle])
        if total is None:
            total = list(down), middle
        else:
            total = [a + b for a, b in zip(total[0], down, strict=True)], total[1] + middle
    return total or (None, None)


def _by_network(controls: Sequence[ControlInput]) -> list[list[ControlInput]]:
    """Controls of one union model together, at the place of the first; each other control by itself."""
    groups: list[list[ControlInput]] = []
    for control in controls:
        same = [group for group in groups if group[0].net is control.net and control.union_mode is not None]
        if same:
            same[0].append(control)
        else:
            groups.append([control])
    return groups
