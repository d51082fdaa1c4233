"""Attention across frames, token by token and head by head, from a layer's weights. Slow and obvious."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch


def attention(query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, heads: int) -> torch.Tensor:
    """What one token's query (C,) finds at keys and values (M, C)."""
    size = len(query) // heads
    found = []
    for first in range(0, len(query), size):
        head = slice(first, first + size)
        weights = (keys[:, head] @ query[head] / size**0.5).softmax(0)
        found.append(weights @ values[:, head])
    return torch.cat(found)


def look(
    layer, states: torch.Tensor, looked: Sequence[torch.Tensor], points: Sequence[Sequence[torch.Tensor]] = ()
) -> torch.Tensor:
    """What a frame's tokens (N, C) find at all tokens of the frames `looked`, and each at its own `points` (C,).

    Before the layer's last projection.
    """
    common = torch.cat([layer.to_k(frame) for frame in looked]), torch.cat([layer.to_v(frame) for frame in looked])
    found = []
    for n, query in enumerate(layer.to_q(states)):
        keys, values = common
        if points and points[n]:
            own = torch.stack(list(points[n]))
            keys, values = torch.cat([keys, layer.to_k(own)]), torch.cat([values, layer.to_v(own)])
        found.append(attention(query, keys, values, layer.heads))
    return torch.stack(found)


def along(
    layer,
    frame: int,
    states: Sequence[torch.Tensor],
    found: Sequence[torch.Tensor],
    places: Callable[[int, int], torch.Tensor],
) -> torch.Tensor:
    """What the tokens of a frame find at their points in all frames, `found` being what is averaged there.

    `places(frame, other)` are the tokens (N,) of another frame that show the same points; -1 for none.
    """
    result = []
    for n, query in enumerate(layer.to_q(states[frame])):
        path = [(frame, n)]
        for other in range(len(states)):
            if other != frame and places(frame, other)[n] >= 0:
                path.append((other, int(places(frame, other)[n])))
        keys = torch.stack([layer.to_k(states[other][token]) for other, token in path])
        values = torch.stack([found[other][token] for other, token in path])
        result.append(attention(query, keys, values, layer.heads))
    return torch.stack(result)
