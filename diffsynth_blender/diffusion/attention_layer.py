"""The arithmetic of one attention layer whose queries look at the keys and values of several frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from diffusers.models.attention_processor import Attention
from torch.nn.functional import pad, scaled_dot_product_attention

GATHERED_BYTES = 2**28
"""Keys and values that are gathered at a time. With five frames of 68x120 tokens, 320 channels in half precision (the
largest layer of Stable Diffusion 1.5 at 544x960), this is five frames' worth of queries: enough to fill a GPU."""

SPARE_CHANNELS = 8
"""Channels added to carry one more score; so many because fast kernels want multiples of 8."""

NEVER = -1000.0
"""A score that counts for nothing beside any other, and that half precision can hold times the root of a head's size.
Scores of trained networks stay within some tens."""


@dataclass(frozen=True)
class KeysValues:
    """What queries look at, in every channel of every head, shape (rows, tokens, channels) each."""

    keys: torch.Tensor
    values: torch.Tensor

    @classmethod
    def of(cls, attn: Attention, states: torch.Tensor) -> KeysValues:
        """Project states (rows, tokens, channels) as the layer `attn` does."""
        return cls(attn.to_k(states), attn.to_v(states))

    def rows(self, which: slice) -> KeysValues:
        """Some of the rows, as views."""
        return KeysValues(self.keys[which], self.values[which])

    def copy(self) -> KeysValues:
        """The same in memory of its own: a view would keep a whole batch alive."""
        return KeysValues(self.keys.clone(), self.values.clone())


@dataclass(frozen=True)
class Looked:
    """Some rows of keys and values, one for each row of queries."""

    at: KeysValues
    rows: tuple[int, ...]


@dataclass(frozen=True)
class PointTokens:
    """Tokens that each query alone looks at, summed up as if they were one."""

    score: torch.Tensor
    """Log of the sum of their scores' exponentials, float32, (B, tokens, heads); -inf where there are none."""
    value: torch.Tensor
    """Mean of their values by these exponentials, (B, tokens, heads, channels of a head); 0 where there are none."""


def split_heads(states: torch.Tensor, heads: int) -> torch.Tensor:
    """(rows, tokens, channels) as (rows, tokens, heads, channels of a head), a view."""
    return states.unflatten(-1, (heads, -1))


def attend(
    query: torch.Tensor, looked: Sequence[Looked], heads: int, points: PointTokens | None = None
) -> torch.Tensor:
    """Attention of queries (B, tokens, channels) to all that is in `looked`, and to their own `points`.

    The softmax runs over everything together. Queries go in chunks, so that memory does not grow with the window.
    """
    tokens = sum(part.at.keys.shape[1] for part in looked)
    row_bytes = 2 * tokens * query.shape[-1] * query.element_size()
    size = max(1, GATHERED_BYTES // row_bytes)
    found = []
    for first in range(0, len(query), size):
        chunk = slice(first, first + size)
        keys = torch.cat([part.at.keys[list(part.rows[chunk])] for part in looked], dim=1)
        values = torch.cat([part.at.values[list(part.rows[chunk])] for part in looked], dim=1)
        q, k, v = (split_heads(states, heads).transpose(1, 2) for states in (query[chunk], keys, values))
        if points is None:
            mixed = scaled_dot_product_attention(q, k, v)
        else:
            mixed = _attend_with_points(q, k, v, PointTokens(points.score[chunk], points.value[chunk]))
        found.append(mixed.transpose(1, 2).flatten(2).to(query.dtype))
    return torch.cat(found)


def _attend_with_points(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, points: PointTokens
) -> torch.Tensor:
    """`scaled_dot_product_attention` (B, heads, tokens, size) over common keys and each query's own points.

    The own points are one more key for everybody, whose score each query brings along in spare channels, and whose
    value marks a spare channel: what arrives there is the weight of the query's own value. So one fused call does a
    softmax over both without ever holding a matrix of scores.
    """
    size = query.shape[-1]
    # The score is split into parts that the dtype holds exactly: alone, half precision would blur the weight.
    rest = points.score.clamp(min=NEVER).transpose(1, 2) * size**0.5
    parts = []
    for _ in range(3):
        parts.append(rest.to(query.dtype))
        rest = rest - parts[-1].float()
    query = pad(torch.cat([query, torch.stack(parts, dim=-1)], dim=-1), (0, SPARE_CHANNELS - len(parts)))
    mark = torch.zeros_like(query[:, :, :1])
    mark[..., size : size + len(parts)] = 1
    key = torch.cat([pad(key, (0, SPARE_CHANNELS)), mark], dim=2)
    mark = torch.zeros_like(mark)
    mark[..., size] = 1
    value = torch.cat([pad(value, (0, SPARE_CHANNELS)), mark], dim=2)
    mixed = scaled_dot_product_attention(query, key, value, scale=size**-0.5)
    return mixed[..., :size] + mixed[..., size : size + 1] * points.value.transpose(1, 2)
