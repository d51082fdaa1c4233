"""The fast blend: means of whole blocks of frames are made once and remapped, O(n log n) remaps instead of O(n window).

FastBlend's remapping tables with exact links in place of matches. A colour is remapped at most twice, once into a
block's mean and once from there. Every frame of the window counts alike where all of it is visible.
"""

from __future__ import annotations

from collections.abc import Sequence

import warp as wp

from ..bands import Bands
from . import linear
from .frame_cache import FrameCache
from .plan import LinkRequest, Node, block_sources, query_nodes
from .window import Links


class TreeBlender:
    """Blends with trees of nodes, one forward and one backward in time; only nodes that a window reads are made.

    The backward tree is the forward one of the reversed clip: it counts frames from the end, in *places*.
    """

    def __init__(self, bands: Bands, frame_count: int, window: int):
        """Blend frames of a clip with `window` neighbours to either side."""
        bands.load(linear)
        self._bands = bands
        self._frame_count = frame_count
        self._window = window
        self.frame_slots = 2 * window + 1
        self._node_limit = self._most_nodes()
        self._slots: dict[tuple[bool, Node], int] = {}
        self._counts: wp.array | None = None

    @property
    def slot_count(self) -> int:
        """Slots of the pool: the window's frames, then nodes."""
        return self.frame_slots + self._node_limit

    def requests(self, target: int) -> list[LinkRequest]:
        """The links that blending frame `target` reads; those of nodes are shared with its neighbours."""
        found = [self._query(target)]
        for backward in (False, True):
            for node in query_nodes(self._place(target, backward), self._window):
                found += [self._growth(backward, Node(node.root, level)) for level in range(1, node.level + 1)]
        return [request for request in found if request.sources]

    def blend(self, target: int, cache: FrameCache, links: Links, blended: wp.array) -> None:
        """Blend frame `target` into `blended`, vec3 (H, W); nodes lie in the pool behind the frames."""
        if self._counts is None:
            self._counts = wp.full(cache.pool.shape, 1.0, dtype=float, device=cache.pool.device)
        self._forget(target)
        own_nodes = []
        slots: dict[int, int] = {}
        for backward in (False, True):
            for node in query_nodes(self._place(target, backward), self._window):
                slot = self._slot(backward, node, cache, links)
                if self._place(node.root, backward) == target:
                    own_nodes.append(slot)
                else:
                    slots[self._place(node.root, backward)] = slot
        request = self._query(target)
        self._launch(
            linear.blend_nodes,
            [
                cache.pool,
                self._counts,
                cache.slot(target),
                wp.vec2i(own_nodes[0], own_nodes[1]),
                self._indices([slots[source] for source in request.sources]),
                links(request),
            ],
            [blended],
        )

    def _place(self, index: int, backward: bool) -> int:
        """Turn a frame's index into its place in one tree's count, or back."""
        return self._frame_count - 1 - index if backward else index

    def _query(self, target: int) -> LinkRequest:
        """The links of a frame to the roots of its window's nodes."""
        roots = {
            self._place(node.root, backward)
            for backward in (False, True)
            for node in query_nodes(self._place(target, backward), self._window)
        }
        return LinkRequest(target, tuple(sorted(roots - {target})))

    def _growth(self, backward: bool, node: Node) -> LinkRequest:
        """The links of a node's root to the frames that it holds beyond the node one level below."""
        sources = sorted(self._place(place, backward) for place in block_sources(node))
        return LinkRequest(self._place(node.root, backward), tuple(sources))

    def _slot(self, backward: bool, node: Node, cache: FrameCache, links: Links) -> int:
        """Return where a node lies in the pool, making it if it is not there."""
        if node.level == 0:
            return cache.slot(self._place(node.root, backward))
        key = (backward, node)
        if key not in self._slots:
            base = self._slot(backward, Node(node.root, node.level - 1), cache, links)
            request = self._growth(backward, node)
            free = set(range(self.frame_slots, self.slot_count)) - set(self._slots.values())
            self._slots[key] = min(free)
            inputs = [base, self._indices([cache.slot(source) for source in request.sources]), links(request)]
            inputs = [cache.pool, self._counts, *inputs, self._slots[key]]
            self._launch(linear.grow_node, inputs, [cache.pool, self._counts])
        return self._slots[key]

    def _forget(self, target: int) -> None:
        """Free the nodes that neither this frame nor a later one reads."""
        for backward, node in list(self._slots):
            first = self._place(node.root, backward)
            if first < (target if backward else target - self._window):
                del self._slots[backward, node]

    def _most_nodes(self) -> int:
        """Most nodes that are held at a time, by going through the clip once."""
        held: set[tuple[bool, Node]] = set()
        most = 0
        for target in range(self._frame_count):
            for backward in (False, True):
                for node in query_nodes(self._place(target, backward), self._window):
                    held |= {(backward, Node(node.root, level)) for level in range(1, node.level + 1)}
            held = {
                (backward, node)
                for backward, node in held
                if self._place(node.root, backward) >= (target if backward else target - self._window)
            }
            most = max(most, len(held))
        return most

    def _indices(self, values: Sequence[int]) -> wp.array:
        return wp.array(list(values), dtype=int, device=self._bands.device)

    def _launch(self, kernel: wp.Kernel, inputs: list, outputs: list) -> None:
        self._bands.launch(kernel, outputs[0].shape[-2:], inputs, outputs)
