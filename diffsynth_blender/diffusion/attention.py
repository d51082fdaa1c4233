"""Cross-frame attention: in self-attention, a frame also looks at other frames of the clip and at a reference picture.

DiffSynth (arXiv 2308.03463) flattens the first, the previous, this and the next frame to one sequence, in U-Net and
ControlNets, and keeps the output of one of the four. Here only keys and values come from other frames, so every
computed output is used: the frames of a window are evaluated together, each with its own queries.

    attention = FrameAttention(("first", "previous", "self", "next"), with_reference=True)
    attention.attach(unet, *controlnets)
    for each step:
        attention.begin_step()
        with attention.recording("reference"):
            unet(the reference's noised latents, one row for each branch)
        for each window, in order:
            attention.batch(frames, branches)
            unet(...)
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, get_args

import torch
from diffusers import ControlNetModel, ControlNetUnionModel, UNet2DConditionModel
from diffusers.models.attention_processor import Attention

from .attention_batch import LatentSize, NetworkBatch, branches_of, looked_at_rows, network_batch
from .attention_layer import KeysValues, Looked, attend
from .attention_processor import FrameProcessor
from .trajectory import Correspond, PointPaths, along_paths, seen_at_points

AttendedFrame = Literal["first", "previous", "self", "next"]
ATTENDED_FRAMES: tuple[str, ...] = get_args(AttendedFrame)
MotionAttention = Literal["off", "trajectory", "correspondence"]


class FrameAttention:
    """Attention across the frames of a clip, installed on networks in place of their self-attention (attn1).

    Text attention (attn2), an IP-Adapter in it included, is left as it is. "first" is the clip's frame 0, whose keys
    and values are kept from its window for all others of the step: windows go in order. "previous" and "next" are the
    neighbours inside the window; at its ends the frame itself. A frame that is looked at in two ways counts twice, as
    in the paper's own code.
    """

    def __init__(
        self,
        pattern: Sequence[str],
        *,
        with_reference: bool = False,
        motion: MotionAttention = "off",
        correspond: Correspond | None = None,
    ) -> None:
        """Say who looks at whom.

        Args:
            pattern: which frames each frame looks at, of `ATTENDED_FRAMES`; "self" is always among them.
            with_reference: whether all frames also look at a reference picture; see `recording`.
            motion: "trajectory": what a token found is then averaged, by attention, along its point's path through
                the window (as FLATTEN, arXiv 2310.05922, with the layer's own queries and keys); "correspondence":
                a token also sees those tokens of the window's other frames that show the same point.
            correspond: which tokens show the same point; needed unless motion is "off".

        Raises:
            ValueError: arguments that contradict each other.
        """
        if "self" not in pattern or len(set(pattern)) != len(pattern) or not set(pattern) <= set(ATTENDED_FRAMES):
            raise ValueError(f"pattern {pattern} must be 'self' and others of {ATTENDED_FRAMES}, each once")
        if motion not in get_args(MotionAttention) or (motion != "off") != (correspond is not None):
            raise ValueError(f"motion {motion!r} is one of {get_args(MotionAttention)}, with `correspond` unless 'off'")
        self._pattern = tuple(pattern)
        self._with_reference = with_reference
        self._motion = motion
        self._paths = None if correspond is None else PointPaths(correspond, with_own=motion == "trajectory")
        self._batch: NetworkBatch | None = None
        self._recording: tuple[int, ...] | Literal["by row"] | None = None
        self._first: dict[tuple[int, int], KeysValues] = {}
        self._reference: dict[tuple[int, int], KeysValues] = {}
        self._size = LatentSize()
        self._replaced: list[tuple[Attention, Any]] = []

    def attach(self, *networks: torch.nn.Module) -> None:
        """Install on U-Nets and ControlNets. Raises ValueError for any other network."""
        for network in networks:
            if not isinstance(network, UNet2DConditionModel | ControlNetModel | ControlNetUnionModel):
                raise ValueError(
                    f"cross-frame attention needs a U-Net model; {type(network).__name__} has none of its layers: "
                    "switch the attention across frames off"
                )
        for network in networks:
            self._size.watch(network)
            for name, module in network.named_modules():
                if name.endswith(".attn1") and isinstance(module, Attention):
                    self._replaced.append((module, module.processor))
                    module.set_processor(FrameProcessor(self, len(self._replaced), module.processor))

    def detach(self) -> None:
        """Put the networks back as they were, and forget everything."""
        for module, processor in self._replaced:
            module.set_processor(processor)
        self._replaced.clear()
        self._size.unwatch()
        self.begin_step()

    def begin_step(self) -> None:
        """Forget what was kept in the step before."""
        self._first.clear()
        self._reference.clear()
        self._batch = None

    def batch(self, frames: torch.Tensor | Sequence[int], branches: int, *, only: int | None = None) -> None:
        """Say what the next calls of the networks hold.

        Args:
            frames: indices in the clip (B,) of one branch's rows; one window's, as far as it is evaluated together.
            branches: guidance branches in the call, 1 or 2; the rows are [negative frames..., positive frames...].
            only: which branch it is where both are evaluated, but one after the other: 0 negative, 1 positive.
        """
        self._batch = network_batch(frames, branches, only)

    @contextmanager
    def recording(self, what: Literal["reference"], *, only: int | None = None) -> Iterator[None]:
        """Keep what the networks called in here see of the reference picture, until the next `begin_step`.

        Each is called with the picture's latents, noised to the step's level, one row for each guidance branch (see
        `only` in `batch`). A network that is not called (what does a ControlNet for depth know of a picture?) has
        no reference to look at. The picture may have another size than the frames.
        """
        if what != "reference" or not self._with_reference:
            raise ValueError(f"nothing to record as {what!r}: say with_reference=True and record 'reference'")
        self._recording = "by row" if only is None else branches_of(1, only)
        try:
            yield
        finally:
            self._recording = None

    def evaluate(self, layer: int, plain: Any, attn: Attention, states: torch.Tensor) -> torch.Tensor:
        """Self-attention of a layer for states (rows, tokens, channels); called by the layers of the networks.

        `plain` is how the network does it by itself.
        """
        if self._recording is not None:
            branches = branches_of(len(states)) if self._recording == "by row" else self._recording
            for row, branch in enumerate(branches):
                self._reference[layer, branch] = KeysValues.of(attn, states[row : row + 1])
            return plain(attn, states)
        batch = self._batch
        if batch is None or len(states) != batch.row_count:
            raise RuntimeError(f"a network was called with {len(states)} rows, but the batch is {batch}")
        if self._with_reference and not self._reference:
            raise RuntimeError("the reference picture was not recorded in this step")
        references = {branch: self._reference.get((layer, branch)) for branch in batch.branches}
        if self._is_plain(batch) and not any(references.values()):
            if "first" in self._pattern:
                self._keep_first(layer, batch, KeysValues.of(attn, states))
            return plain(attn, states)
        queries, mine = attn.to_q(states), KeysValues.of(attn, states)
        if "first" in self._pattern:
            self._keep_first(layer, batch, mine)
        found = []
        for branch in batch.branches:
            rows = batch.branch_rows(branch)
            looked = self._looked(batch, mine.rows(rows), self._first.get((layer, branch)), references[branch])
            found.append(self._look(batch, queries[rows], mine.rows(rows), looked, attn.heads))
        # The layer's last projection, and a dropout that does nothing outside of training.
        return attn.to_out[1](attn.to_out[0](torch.cat(found)))

    def _is_plain(self, batch: NetworkBatch) -> bool:
        """Whether no frame of the batch looks at another frame."""
        own = looked_at_rows("self", batch)
        alone = all(looked_at_rows(kind, batch) == own for kind in self._pattern)
        return alone and (self._paths is None or len(batch.window) == 1)

    def _keep_first(self, layer: int, batch: NetworkBatch, mine: KeysValues) -> None:
        rows = looked_at_rows("first", batch)
        if rows is not None:
            for branch in batch.branches:
                row = batch.branch_rows(branch).start + rows[0]
                self._first[layer, branch] = mine.rows(slice(row, row + 1)).copy()

    def _looked(
        self, batch: NetworkBatch, mine: KeysValues, first: KeysValues | None, reference: KeysValues | None
    ) -> list[Looked]:
        """What the rows of one branch look at, `mine` being their own keys and values."""
        count = len(batch.frames)
        looked = []
        for kind in self._pattern:
            rows = looked_at_rows(kind, batch)
            if rows is not None:
                looked.append(Looked(mine, rows))
            elif first is not None:
                looked.append(Looked(first, (0,) * count))
            else:
                raise RuntimeError("the clip's first frame was not evaluated in this step: windows go in order")
        if reference is not None:
            looked.append(Looked(reference, (0,) * count))
        return looked

    def _look(
        self, batch: NetworkBatch, query: torch.Tensor, mine: KeysValues, looked: list[Looked], heads: int
    ) -> torch.Tensor:
        """What the queries of one branch (B, tokens, channels) find."""
        if self._paths is None or len(batch.window) == 1:
            return attend(query, looked, heads)
        tokens = self._paths.tokens(batch, self._size.grid(query.shape[1])).to(query.device)
        if self._motion == "trajectory":
            return along_paths(query, mine.keys, attend(query, looked, heads), tokens, heads)
        return attend(query, looked, heads, seen_at_points(query, mine.keys, mine.values, tokens, heads))
