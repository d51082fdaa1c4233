"""Laws of exact lines: they lie on silhouettes and folds, and nowhere else."""

import numpy as np

from diffsynth_blender.passes.exr import ExactPasses
from diffsynth_blender.passes.lines import line_art, soft_edges
from tests.reference.scene import BACKGROUND_DEPTH, demo_scene


def roof() -> ExactPasses:
    """One object of two planes that meet in a ridge at column 24, before nothing."""
    height, width = 32, 48
    left = np.arange(width) < 24
    normal = np.where(left[:, None], (-0.7071, 0.0, 0.7071), (0.7071, 0.0, 0.7071)).astype(np.float32)
    flat = np.zeros((height, width, 3), np.float32)
    return ExactPasses(
        depth=np.full((height, width), 5.0, np.float32),
        normal=np.broadcast_to(normal, flat.shape),
        vector=np.zeros((height, width, 4), np.float32),
        position=flat,
        object_id=np.full((height, width), 7, np.int32),
    )


def test_a_fold_is_a_line_and_planes_are_empty():
    """The ridge is drawn along its whole length; three pixels beside it there is nothing."""
    lines = line_art(roof(), BACKGROUND_DEPTH)
    assert lines.dtype == np.float32
    assert lines[:, 23:25].min() > 0.5
    assert lines[:, :20].max() == 0.0 and lines[:, 28:].max() == 0.0


def test_silhouettes_are_full_white():
    """Every border between two objects is drawn, brighter than a fold."""
    passes = demo_scene(96, 64).passes(1)
    lines = line_art(passes, BACKGROUND_DEPTH)
    border = passes.object_id[:, :-1] != passes.object_id[:, 1:]
    assert border.any()
    assert lines[:, :-1][border].min() > 0.75
    assert lines.min() >= 0.0 and lines.max() <= 1.0
    assert (lines > 0.1).mean() < 0.35


def test_what_is_at_infinity_has_no_lines():
    """Background of any ids and depths beyond the limit is one empty thing."""
    ids = np.arange(20 * 30, dtype=np.int32).reshape(20, 30)
    empty = np.zeros((20, 30, 3), np.float32)
    passes = ExactPasses(np.full((20, 30), 1e10, np.float32), empty, np.zeros((20, 30, 4), np.float32), empty, ids)
    assert line_art(passes, BACKGROUND_DEPTH).max() == 0.0


def test_soft_edges_are_the_lines_but_wider():
    """They cover the lines, reach further, and are as bright in the middle."""
    passes = demo_scene(96, 64).passes(1)
    lines, soft = line_art(passes, BACKGROUND_DEPTH), soft_edges(passes, BACKGROUND_DEPTH)
    assert (soft > 0.02).sum() > (lines > 0.02).sum()
    assert soft[lines > 0.9].min() > 0.6
    assert soft.max() <= 1.0
