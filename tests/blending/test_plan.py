"""Laws of the plans: which pairs of frames each mode reads."""

import pytest

from diffsynth_blender.bands import Bands
from diffsynth_blender.blending.accurate import AccurateBlender
from diffsynth_blender.blending.plan import Node, block_sources, query_nodes, tree_nodes, window_sources
from diffsynth_blender.blending.tree import TreeBlender
from diffsynth_blender.blending.window import WindowBlender

# Frames, window; matchings of FastBlend's fast, balanced and accurate mode, counted by simulating them.
COUNTS = [
    (32, 3, 232, 180, 212),
    (64, 15, 712, 1680, 1744),
    (128, 60, 1808, 11700, 11828),
    (200, 15, 2466, 5760, 5960),
    (200, 30, 2754, 11070, 11270),
]


def count_pairs(blender, frame_count: int) -> int:
    """Return how many pairs of frames a blender reads, a frame with itself included."""
    requests = {request for target in range(frame_count) for request in blender.requests(target)}
    return sum(len(request.sources) for request in requests)


@pytest.mark.parametrize(("frames", "window", "fast", "balanced", "accurate"), COUNTS)
def test_the_number_of_pairs_is_the_methods(frames, window, fast, balanced, accurate):
    """Whole tables and all queries give FastBlend's counts; the tree makes only the nodes that some window reads."""
    bands = Bands("cpu")
    built = 2 * sum(len(block_sources(node)) for node in tree_nodes(frames))
    asked = 2 * sum(len(query_nodes(target, window)) for target in range(frames))
    # The node that ends at the frame itself is not remapped.
    assert built + asked - 2 * frames == fast
    assert count_pairs(TreeBlender(bands, frames, window), frames) < fast
    assert count_pairs(WindowBlender(bands, frames, window, robust=False), frames) == balanced
    assert count_pairs(AccurateBlender(bands, frames, window), frames) == accurate


@pytest.mark.parametrize("window", [0, 1, 4, 15])
def test_a_query_covers_its_window_once(window):
    """The blocks of the nodes are the window, without a gap and without overlap."""
    for target in range(50):
        covered = [
            frame
            for node in query_nodes(target, window)
            for frame in range(node.root - (1 << node.level) + 1, node.root + 1)
        ]
        assert sorted(covered) == list(range(max(0, target - window), target + 1))


def test_a_node_is_made_of_two_halves():
    """The right half is the node below it, the left half is remapped frame by frame."""
    assert block_sources(Node(7, 3)) == [0, 1, 2, 3]
    assert block_sources(Node(7, 1)) == [6]


def test_windows_end_where_the_clip_does():
    """The frame itself is not among its sources."""
    assert window_sources(0, 2, 5) == [1, 2]
    assert window_sources(2, 9, 5) == [0, 1, 3, 4]
    assert window_sources(0, 3, 1) == []
