"""Laws of passes for a larger frame, against the same scene rendered at that size."""

import numpy as np
import pytest

from diffsynth_blender.passes.enlarge import enlarge_passes
from tests.reference.scene import demo_scene


@pytest.mark.parametrize("factor", [2, 4])
def test_it_is_what_a_larger_render_shows(factor):
    """Away from silhouettes and the border of the frame, every pass agrees with a render of the larger size."""
    made = enlarge_passes(demo_scene(64, 48).passes(2), factor)
    true = demo_scene(64 * factor, 48 * factor).passes(2)
    assert made.depth.shape == true.depth.shape
    same = made.object_id == true.object_id
    assert same.mean() > 0.93
    inner = same & (true.object_id != 0)
    inner[:factor] = inner[-factor:] = inner[:, :factor] = inner[:, -factor:] = False
    difference = np.abs(made.depth - true.depth) / true.depth
    assert np.median(difference[inner]) < 1e-5 and np.quantile(difference[inner], 0.95) < 1e-5
    for made_plane, true_plane, bound in (
        (made.position, true.position, 1e-3),
        (made.normal, true.normal, 1e-4),
        (made.vector, true.vector, 0.01),
    ):
        assert np.quantile(np.abs(made_plane - true_plane)[inner], 0.97) < bound
    assert made.vector.dtype == made.position.dtype == np.float32


def test_objects_do_not_mix():
    """A pixel's depth lies between the depths of its own object, however near another one is."""
    passes = demo_scene(64, 48).passes(2)
    made = enlarge_passes(passes, 2)
    assert set(np.unique(made.object_id)) == set(np.unique(passes.object_id))
    for id in np.unique(passes.object_id):
        own = passes.depth[passes.object_id == id]
        found = made.depth[made.object_id == id]
        assert found.min() >= own.min() * (1 - 1e-5) and found.max() <= own.max() * (1 + 1e-5)


def test_by_one_is_the_same():
    """Nothing happens without enlargement."""
    passes = demo_scene(16, 16).passes(1)
    assert enlarge_passes(passes, 1) is passes
