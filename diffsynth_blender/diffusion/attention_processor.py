"""The attention processors that diffusers calls, in place of a network's own, for its self-attention layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from diffusers.models.attention_processor import Attention

if TYPE_CHECKING:
    from .attention import FrameAttention


class FrameProcessor:
    """What diffusers calls to compute a self-attention layer."""

    def __init__(self, attention: FrameAttention, layer: int, plain: Any) -> None:
        self._attention, self._layer, self._plain = attention, layer, plain

    def __call__(
        self,
        attn: Attention,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        temb: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Attention of hidden states (rows, tokens, channels)."""
        if encoder_hidden_states is not None:
            # Some U-Nets have text attention in this place.
            return self._plain(attn, hidden_states, encoder_hidden_states, attention_mask, temb)
        if attention_mask is not None:
            raise ValueError("attention across frames knows no mask of a single frame's tokens")
        return self._attention.evaluate(self._layer, self._plain, attn, hidden_states)
