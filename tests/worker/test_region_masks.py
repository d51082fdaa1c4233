"""Laws of regions: masks from object ids, results that leave everything else alone."""

import numpy as np
import pytest

from diffsynth_blender.protocol import BadJobError
from diffsynth_blender.protocol.cryptomatte import object_id
from diffsynth_blender.worker.region_masks import RegionMasks, composite


def signed(name: str) -> int:
    return int(np.uint32(object_id(name)).view(np.int32))


@pytest.fixture
def ids() -> np.ndarray:
    """A hat of 6x8 pixels that touches the top of the frame, a coat of 4x4 below, a ground."""
    plane = np.full((20, 16), signed("Ground"), np.int32)
    plane[:6, 4:12] = signed("Hat")
    plane[6:10, 6:10] = signed("Coat.001")
    return plane


def test_a_mask_is_zero_outside_and_soft_inside(ids, tmp_path):
    """Exactly 0 on every other object, a half on the outermost pixels, 1 within; the frame's border is not softened."""
    masks = RegionMasks(tmp_path, [("Hat",), ("Coat.001",)])
    masks.see(7, ids, kept=True)
    masks.check()
    mask = masks.mask(0, 7)
    assert mask.shape == ids.shape and mask.dtype == np.float32
    assert ((mask > 0) == (ids == signed("Hat"))).all()
    assert (mask[:5, 5:11] == 1.0).all() and (mask[5, 4:12] == 0.5).all() and (mask[:6, 4] == 0.5).all()
    assert mask[0, 5] == 1.0


def test_two_regions_that_touch_have_no_border_between(ids, tmp_path):
    """The union is solid where hat and coat meet."""
    masks = RegionMasks(tmp_path, [("Hat",), ("Coat.001",)])
    masks.see(7, ids, kept=True)
    union = masks.any_mask(7)
    assert (union[5:7, 7:9] == 1.0).all()
    assert ((union > 0) == (ids != signed("Ground"))).all()


def test_an_object_that_is_never_seen_is_named(ids, tmp_path):
    """A typo is an error with the region and the name; an object seen in one frame only is none."""
    masks = RegionMasks(tmp_path, [("Hat", "hat")])
    masks.see(1, np.zeros_like(ids), kept=True)
    masks.see(2, ids, kept=False)
    with pytest.raises(BadJobError, match=r"settings\.regions\[0\]\.objects: no frame .* called 'hat'; write the name"):
        masks.check()


def test_outside_the_mask_the_bytes_are_the_sources():
    """Bit for bit, whatever the result holds there; inside they are the result's, on the ramp their mean."""
    rng = np.random.default_rng(0)
    source, result = rng.integers(0, 256, (2, 12, 9, 3), dtype=np.uint8)
    mask = np.zeros((12, 9), np.float32)
    mask[3:9, 2:7] = 0.5
    mask[4:8, 3:6] = 1.0
    mixed = composite(result, source, mask)
    assert mixed.dtype == np.uint8
    assert (mixed[mask == 0] == source[mask == 0]).all()
    assert (mixed[mask == 1] == result[mask == 1]).all()
    ramp = mask == 0.5
    assert np.abs(mixed[ramp] - (source[ramp] / 2 + result[ramp] / 2)).max() <= 0.5
