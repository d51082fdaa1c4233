"""Attention between tokens that show the same point of a surface in different frames.

Which tokens these are comes in as indices, exact where a renderer knows the motion. No weights of its own: queries,
keys and values are those of the layer.
"""

from collections.abc import Callable
from typing import TypeAlias

import torch

from .attention_batch import NetworkBatch
from .attention_layer import PointTokens, split_heads

Correspond: TypeAlias = Callable[[int, int, int, int], torch.Tensor]
"""(target frame, source frame, h, w) → for each of the target's h*w tokens, row by row, the token of the source frame
that shows the same point, int64, shape (h*w,); -1 where the source does not show it."""


class PointPaths:
    """Where the points of a window's frames are seen in its other frames; what was asked last is kept."""

    def __init__(self, correspond: Correspond, *, with_own: bool) -> None:
        """`with_own`: whether a token has itself among its point's tokens."""
        self._correspond = correspond
        self._with_own = with_own
        self._frames: tuple[int, ...] = ()
        self._tokens: dict[tuple[int, int], torch.Tensor] = {}

    def tokens(self, batch: NetworkBatch, grid: tuple[int, int]) -> torch.Tensor:
        """For the tokens of B rows those of the window's J frames that show the same points, (B, J, h*w).

        An index counts through the tokens of all rows of a branch; -1 where the frame does not show the point.
        """
        if batch.frames != self._frames:
            self._frames = batch.frames
            self._tokens.clear()
        if grid not in self._tokens:
            self._tokens[grid] = torch.stack([self._row(batch, target, grid) for target in batch.frames])
        return self._tokens[grid]

    def _row(self, batch: NetworkBatch, target: int, grid: tuple[int, int]) -> torch.Tensor:
        count = grid[0] * grid[1]
        found = []
        for source in batch.window:
            if source == target:
                there = torch.arange(count) if self._with_own else torch.full((count,), -1)
            else:
                there = self._correspond(target, source, *grid).cpu()
            found.append(torch.where(there < 0, -1, there + batch.frames.index(source) * count))
        return torch.stack(found)


def along_paths(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, tokens: torch.Tensor, heads: int
) -> torch.Tensor:
    """Attention of each token to its own point in all frames: (B, tokens, channels), as all of the three are.

    Args:
        query: of B frames.
        key: of the same frames.
        value: what is averaged, of the same frames.
        tokens: (B, J, tokens): for each frame's tokens those that show the same points, as indices into all tokens of
            all B frames one after the other; -1 for none. Every token has itself among them.
        heads: of the layer.
    """
    result = torch.empty_like(value)
    for row, (its_query, its_tokens) in enumerate(zip(query, tokens, strict=True)):
        weights = _scores(its_query, key, its_tokens, heads).softmax(dim=1)
        result[row] = _weighted(weights, value, its_tokens, heads).flatten(1)
    return result


def seen_at_points(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, tokens: torch.Tensor, heads: int
) -> PointTokens:
    """The same tokens summed up, for an attention that also sees others. Arguments as in `along_paths`.

    A token may have none at all.
    """
    found = []
    for its_query, its_tokens in zip(query, tokens, strict=True):
        scores = _scores(its_query, key, its_tokens, heads)
        total = scores.logsumexp(dim=1)
        weights = (scores - total[:, None]).exp().nan_to_num(0.0)  # -inf - -inf where there are none
        found.append(PointTokens(total, _weighted(weights, value, its_tokens, heads)))
    return PointTokens(torch.stack([one.score for one in found]), torch.stack([one.value for one in found]))


def _scores(query: torch.Tensor, key: torch.Tensor, tokens: torch.Tensor, heads: int) -> torch.Tensor:
    """Scores float32 (tokens, J, heads) of one frame's queries (tokens, channels); -inf for none."""
    mine = split_heads(query, heads)  # (tokens, heads, size)
    # One frame at a time, in the order of J, so that no more than one frame's keys are gathered.
    scores = torch.stack([(mine * _gather(key, those, heads)).sum(-1, dtype=torch.float32) for those in tokens], dim=1)
    return (scores * mine.shape[-1] ** -0.5).masked_fill((tokens < 0).T[..., None], -torch.inf)


def _weighted(weights: torch.Tensor, value: torch.Tensor, tokens: torch.Tensor, heads: int) -> torch.Tensor:
    """Sum of values (tokens, heads, size) by weights (tokens, J, heads)."""
    total = torch.zeros(())
    for j, those in enumerate(tokens):
        part = weights[:, j, :, None] * _gather(value, those, heads)
        total = part if j == 0 else total + part
    return total.to(value.dtype)


def _gather(states: torch.Tensor, tokens: torch.Tensor, heads: int) -> torch.Tensor:
    """States (B, tokens, channels) of some tokens as (tokens, heads, size); any token where the index is -1."""
    return split_heads(states.flatten(0, 1)[tokens.clamp(min=0)], heads)
