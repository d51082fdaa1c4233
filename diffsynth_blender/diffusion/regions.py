"""Prompts for parts of the picture: in text attention, tokens of a region listen to the region's own prompt.

Every text attention (attn2) of U-Net and ControlNets is also computed with each region's prompt, and the results are
mixed by how much of a token lies in the region. Outside all regions the main prompt counts. Only the positive branch
of the guidance is touched: what a picture should not show holds for all of it.
"""

from collections.abc import Sequence
from typing import Any

import torch
from diffusers.models.attention_processor import Attention
from torch.nn.functional import adaptive_avg_pool2d

from .attention_batch import LatentSize, NetworkBatch, network_batch
from .conditioning import POSITIVE


class RegionPrompts:
    """Text attention by regions, installed on networks around whatever attn2 has, an IP-Adapter included."""

    def __init__(self, masks: torch.Tensor, prompts: torch.Tensor) -> None:
        """Say what is where.

        Args:
            masks: (R, T, H, W) in [0, 1], float32 or bool: how much of each pixel of each frame of the clip belongs to
                a region, at any size, over exactly what the latents show: padded where the pictures are. Regions do
                not overlap: a pixel's masks add up to at most 1.
            prompts: text embeddings (R, tokens, channels) of the regions, as the network wants them.

        Raises:
            ValueError: shapes that do not fit, or regions that overlap.
        """
        if masks.ndim != 4 or prompts.ndim != 3 or len(masks) != len(prompts):
            raise ValueError(
                f"masks (R, T, H, W) and prompts (R, tokens, channels), not {masks.shape}, {prompts.shape}"
            )
        if any(float(masks[:, t].sum(0, dtype=torch.float32).max()) > 1.001 for t in range(masks.shape[1])):
            raise ValueError("regions overlap: the masks of some pixels add up to more than 1")
        self._masks = masks
        self._prompts = prompts
        self._batch: NetworkBatch | None = None
        self._shares: dict[tuple[int, int], torch.Tensor] = {}
        self._size = LatentSize()
        self._replaced: list[tuple[Attention, Any]] = []

    def attach(self, *networks: torch.nn.Module) -> None:
        """Install on U-Nets and ControlNets. Raises ValueError for a network without text attention (attn2)."""
        for network in networks:
            layers = [
                module
                for name, module in network.named_modules()
                if name.endswith(".attn2") and isinstance(module, Attention) and module.is_cross_attention
            ]
            if not layers:
                raise ValueError(
                    f"prompts by region need a U-Net model; {type(network).__name__} has no text attention of its "
                    "kind: remove the regions' prompts"
                )
            self._size.watch(network)
            for module in layers:
                self._replaced.append((module, module.processor))
                module.set_processor(_RegionProcessor(self, module.processor))

    def detach(self) -> None:
        """Put the networks back as they were."""
        for module, processor in self._replaced:
            module.set_processor(processor)
        self._replaced.clear()
        self._size.unwatch()

    def batch(self, frames: torch.Tensor | Sequence[int], branches: int, *, only: int | None = None) -> None:
        """Say what the next calls of the networks hold; as `FrameAttention.batch`."""
        batch = network_batch(frames, branches, only)
        if self._batch is None or self._batch.frames != batch.frames:
            self._shares.clear()
        self._batch = batch

    def positive_rows(self, row_count: int) -> slice:
        """The rows of a call that follow the positive prompt. Raises RuntimeError where the batch has other rows."""
        if self._batch is None or self._batch.row_count != row_count:
            raise RuntimeError(f"a network was called with {row_count} rows, but the batch is {self._batch}")
        if POSITIVE not in self._batch.branches:
            return slice(0, 0)
        return self._batch.branch_rows(POSITIVE)

    def shares(self, tokens: int) -> torch.Tensor:
        """Share (R, B, tokens) of each token of the batch's frames that lies in each region, float32."""
        grid = self._size.grid(tokens)
        if grid not in self._shares:
            assert self._batch is not None
            masks = self._masks[:, list(self._batch.frames)].float()
            self._shares[grid] = adaptive_avg_pool2d(masks, grid).flatten(2)
        return self._shares[grid]

    def prompt(self, region: int, like: torch.Tensor) -> torch.Tensor:
        """A region's embeddings (1, tokens, channels), on the device and in the dtype of another tensor."""
        return self._prompts[region : region + 1].to(like)


class _RegionProcessor:
    """What diffusers calls to compute a text attention layer."""

    def __init__(self, regions: RegionPrompts, plain: Any) -> None:
        self._regions, self._plain = regions, plain

    def __call__(
        self,
        attn: Attention,
        hidden_states: torch.Tensor,
        encoder_hidden_states: Any = None,
        attention_mask: torch.Tensor | None = None,
        temb: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Attention of hidden states (rows, tokens, channels) to the text, or to (text, [an IP-Adapter's images])."""
        found = self._plain(attn, hidden_states, encoder_hidden_states, attention_mask, temb)
        rows = self._regions.positive_rows(len(hidden_states))
        if rows.stop == rows.start:
            return found
        shares = self._regions.shares(hidden_states.shape[1])
        used = [region for region in range(len(shares)) if shares[region].any()]
        if not used:
            return found
        if attention_mask is not None:
            raise ValueError("prompts by region know no mask of the main prompt's tokens")
        main = found[rows]
        mixed = main.clone()
        for region in used:
            text = self._text(region, encoder_hidden_states, rows)
            share = shares[region, ..., None].to(main)
            mixed += share * (self._plain(attn, hidden_states[rows], text) - main)
        return torch.cat([found[: rows.start], mixed, found[rows.stop :]])

    def _text(self, region: int, states: Any, rows: slice) -> Any:
        """What the positive rows listen to in a region: its prompt, and the same images as elsewhere."""
        count = rows.stop - rows.start
        if isinstance(states, tuple):
            text, images = states
            return self._regions.prompt(region, text).expand(count, -1, -1), [image[rows] for image in images]
        return self._regions.prompt(region, states).expand(count, -1, -1)
