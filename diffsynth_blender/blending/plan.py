"""Which pairs of frames a blend needs: windows directly, or a tree that reuses what neighbours have blended.

Counts follow FastBlend (method of the paper's O(n log n) remapping tables); pure arithmetic on frame indices, so that
the plan can be tested apart from pixels.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LinkRequest:
    """The links of one frame to some others."""

    target: int
    """Index of the frame whose pixels are linked."""
    sources: tuple[int, ...]
    """Indices of the frames that are read, in the order of the links."""


@dataclass(frozen=True)
class Node:
    """The mean of a block of `2 ** level` frames that ends at frame `root`, seen from there.

    Going forward the block is `root - 2 ** level + 1 .. root`; going backward it is mirrored in time.
    """

    root: int
    """Index of the frame whose geometry the mean has."""
    level: int
    """0 is the frame alone."""


def window_sources(target: int, window: int, frame_count: int) -> list[int]:
    """Return the other frames within `window` of a frame, in order."""
    nearby = range(max(0, target - window), min(frame_count - 1, target + window) + 1)
    return [source for source in nearby if source != target]


def block_sources(node: Node) -> list[int]:
    """Return the frames that are remapped to a node's root to make it of the node one level below: its left half."""
    half = 1 << (node.level - 1)
    return list(range(node.root - 2 * half + 1, node.root - half + 1))


def tree_nodes(frame_count: int) -> list[Node]:
    """Return every node of level 1 and more of the whole clip's table, one direction."""
    return [Node(root, level) for root in range(frame_count) for level in range(1, trailing_ones(root) + 1)]


def query_nodes(target: int, window: int) -> list[Node]:
    """Return the nodes whose blocks cover `max(0, target - window) .. target` exactly, newest first.

    There are O(log window) of them; the first has the target as its root.
    """
    left = max(0, target - window)
    nodes = []
    root = target
    while root >= left:
        level = min(trailing_ones(root), (root - left + 1).bit_length() - 1)
        nodes.append(Node(root, level))
        root -= 1 << level
    return nodes


def trailing_ones(number: int) -> int:
    """Count the one bits at the end of a number."""
    return (~number & (number + 1)).bit_length() - 1
