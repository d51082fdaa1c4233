"""What a call of a network holds: which frames, which guidance branches, and how its tokens lie on the picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from .conditioning import NEGATIVE, POSITIVE


@dataclass(frozen=True)
class NetworkBatch:
    """The rows of a network call, branch after branch: [negative frames..., positive frames...]."""

    frames: tuple[int, ...]
    """Indices in the clip of one branch's rows; a frame may be there twice, to fill a batch up."""
    branches: tuple[int, ...]
    """`NEGATIVE`, `POSITIVE` or both."""

    @property
    def window(self) -> tuple[int, ...]:
        """The frames, rising, each once."""
        return tuple(sorted(set(self.frames)))

    @property
    def row_count(self) -> int:
        """Rows of the network's input."""
        return len(self.frames) * len(self.branches)

    def branch_rows(self, branch: int) -> slice:
        """The rows of one of `branches`."""
        first = self.branches.index(branch) * len(self.frames)
        return slice(first, first + len(self.frames))


def branches_of(count: int, only: int | None = None) -> tuple[int, ...]:
    """The branches that `count` of them are: both, or the positive one, or the one named by `only`."""
    if count not in (1, 2) or (only is not None and count != 1):
        raise ValueError(f"a batch holds one guidance branch or both, not {count} (only={only})")
    if count == 2:
        return (NEGATIVE, POSITIVE)
    return (POSITIVE,) if only is None else (only,)


def network_batch(frames: torch.Tensor | Sequence[int], count: int, only: int | None) -> NetworkBatch:
    """The batch of `frames` (B,) in `count` branches; see `branches_of`."""
    return NetworkBatch(tuple(int(frame) for frame in frames), branches_of(count, only))


def looked_at_rows(frame_kind: str, batch: NetworkBatch) -> tuple[int, ...] | None:
    """For each row of a branch the row of the frame that it looks at as "first", "previous", "self" or "next".

    None for the clip's first frame where the batch does not hold it. Frames that fill the batch up look where the
    frames that they repeat look.
    """
    window = batch.window
    if frame_kind == "first":
        return (batch.frames.index(0),) * len(batch.frames) if 0 in window else None
    step = {"previous": -1, "self": 0, "next": 1}[frame_kind]
    places = (min(max(window.index(frame) + step, 0), len(window) - 1) for frame in batch.frames)
    return tuple(batch.frames.index(window[place]) for place in places)


def token_grid(tokens: int, height: int, width: int) -> tuple[int, int]:
    """Rows and columns of a layer's tokens, where the network's input has `height` x `width` latent pixels.

    Every level of a U-Net halves them, rounded up. Raises ValueError where no level has that many tokens.
    """
    h, w = height, width
    while h * w > tokens and h * w > 1:
        h, w = (h + 1) // 2, (w + 1) // 2
    if h * w != tokens:
        raise ValueError(f"{tokens} tokens are no level of a U-Net over {height}x{width} latent pixels")
    return h, w


class LatentSize:
    """Notes the size of what goes into networks, which their attention layers are not told."""

    def __init__(self) -> None:
        self._size: tuple[int, int] | None = None
        self._handles: list[torch.utils.hooks.RemovableHandle] = []

    def watch(self, network: torch.nn.Module) -> None:
        """Note the size of each later call's input (B, C, h, w)."""
        self._handles.append(network.register_forward_pre_hook(self._note, with_kwargs=True))

    def unwatch(self) -> None:
        """Leave all networks alone again."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def grid(self, tokens: int) -> tuple[int, int]:
        """The grid of a layer with so many tokens, in the call that is running."""
        if self._size is None:
            raise RuntimeError("the network was called past its own __call__; its input's size is not known")
        return token_grid(tokens, *self._size)

    def _note(self, network: torch.nn.Module, args: tuple, kwargs: dict) -> None:
        sample = args[0] if args else kwargs["sample"]
        self._size = (sample.shape[-2], sample.shape[-1])
