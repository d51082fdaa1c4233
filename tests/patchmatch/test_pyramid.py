"""Laws of the pyramid: areas are exact on odd sides, and what a coarse level finds arrives where it belongs."""

import numpy as np
import pytest
import warp as wp

from diffsynth_blender.patchmatch import start
from diffsynth_blender.patchmatch.levels import Pictures, PyramidBuilder
from diffsynth_blender.patchmatch.native_start import ENLARGE
from diffsynth_blender.patchmatch.pyramid import level_sizes
from tests.patchmatch.pictures import noise, positions
from tests.reference import patchmatch as reference


def built(bands, target, source, *, target_mask=None, source_mask=None, coarsest=1):
    """Return all levels of a batch of pairs."""
    batch, channels = target.shape[0], target.shape[3]
    builder = PyramidBuilder(bands, batch, channels, 1)
    factors = wp.array(np.ones(channels, np.float32), dtype=float, device="cpu")

    def pictures(guides, mask):
        size = guides.shape[1:3]
        flat = wp.array(guides.reshape(batch * size[0], -1), dtype=float, device="cpu")
        marks = None if mask is None else wp.array(mask.reshape(-1, size[1]), dtype=wp.uint8, device="cpu")
        return Pictures(builder.packed(flat, factors, size), marks, size)

    return builder.levels(pictures(target, target_mask), pictures(source, source_mask), coarsest)


def test_levels_halve_down_to_the_coarsest():
    """Odd sides are rounded up; no side falls below the least, and a small picture has one level."""
    assert level_sizes((270, 481), (300, 400), 60) == [
        ((270, 481), (300, 400)),
        ((135, 241), (150, 200)),
        ((68, 121), (75, 100)),
    ]
    assert level_sizes((1, 1), (1, 1), 1) == [((1, 1), (1, 1))]
    assert level_sizes((20, 500), (20, 500), 24) == [((20, 500), (20, 500))]


@pytest.mark.parametrize("channels", [1, 4, 6])
@pytest.mark.parametrize("size", [(8, 12), (9, 13), (31, 5)])
def test_a_coarse_pixel_is_the_mean_of_what_it_covers(bands, size, channels):
    """Sides that are no multiple of two as well; every level covers the whole picture."""
    guides = noise(2, *size, channels)
    for level in built(bands, guides, guides):
        packed = level.pair.target.numpy().reshape(2, *level.size, -1)
        expected = guides
        for smaller in [size for size, _ in level_sizes(size, size, 1)][1:]:
            if expected.shape[1:3] == level.size:
                break
            expected = np.stack([reference.area_mean(picture, smaller) for picture in expected])
        np.testing.assert_allclose(packed[..., :channels], expected, atol=2e-6)
        assert (packed[..., channels:] == 0.0).all()
        np.testing.assert_allclose(packed[..., :channels].mean(axis=(1, 2)), guides.mean(axis=(1, 2)), atol=2e-6)


@pytest.mark.parametrize("size", [(16, 24), (17, 23), (31, 9)])
def test_a_coarse_mask_covers_the_fine_one(bands, size):
    """A coarse pixel is marked exactly if any pixel is that it covers a part of; the list names the marked ones."""
    guides = noise(1, *size, 1)
    mask = (noise(1, *size, seed=1) < 0.03).astype(np.uint8)
    levels = built(bands, guides, guides, target_mask=mask, source_mask=mask)
    assert len(levels) > 3
    expected = mask[0]
    for level in levels:
        if level.size != size:
            expected = reference.area_mean(expected > 0.0, level.size) > 1e-9
        np.testing.assert_array_equal(level.pair.source_mask.numpy(), expected)
        np.testing.assert_array_equal(level.pair.pixels.numpy(), np.flatnonzero(expected))


@pytest.mark.parametrize("size", [(16, 24), (17, 23), (9, 31)])
@pytest.mark.parametrize("source_size", [(16, 24), (15, 41)])
def test_a_coarse_match_arrives_where_it_belongs(bands, size, source_size):
    """The field that maps the whole target to the whole source is exact to half a pixel, and the identity exactly."""
    whole = (positions(*size) + 0.5) * np.divide(source_size, size)[::-1] - 0.5
    fine, coarse = built(bands, noise(1, *size, 1), noise(1, *source_size, 1))[:2]
    coarse_field = (positions(*coarse.size) + 0.5) * np.divide(coarse.source_size, coarse.size)[::-1] - 0.5
    coarse_field = np.round(coarse_field)
    found = wp.zeros(size, dtype=wp.vec2, device="cpu")
    bands.launch(
        enlarge,
        size,
        inputs=[
            fine.pair,
            wp.array(coarse_field, dtype=wp.vec2, device="cpu"),
            wp.vec2i(*coarse.size),
            wp.vec2i(*coarse.source_size),
        ],
        outputs=[found],
    )
    error = np.abs(found.numpy() - whole)
    if size == source_size:
        np.testing.assert_array_equal(found.numpy(), positions(*size))
    # Half a coarse pixel from rounding there, half a fine one from rounding here.
    assert error.max() <= 0.5 * np.max(np.divide(source_size, coarse.source_size)) + 0.5 + 1e-4


@wp.func_native(
    ENLARGE
    + """
    const Position position = enlarged(0, x, y);
    return wp::vec_t<2, float>(position.x, position.y);
    """
)
def enlarged(  # type: ignore[empty-body]
    pair: start.Pair,
    x: int,
    y: int,
    coarse_nnf: wp.array2d[wp.vec2],
    coarse_size: wp.vec2i,
    coarse_source_size: wp.vec2i,
) -> wp.vec2: ...


@wp.kernel
def enlarge(
    first_row: int,
    pair: start.Pair,
    coarse_nnf: wp.array2d[wp.vec2],
    size: wp.vec2i,
    source_size: wp.vec2i,
    nnf_out: wp.array2d[wp.vec2],
) -> None:
    row, x = wp.tid()
    y = first_row + row
    nnf_out[y, x] = enlarged(pair, x, y, coarse_nnf, size, source_size)
