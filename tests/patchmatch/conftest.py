import pytest

from diffsynth_blender.bands import Bands
from diffsynth_blender.patchmatch.matcher import NearestNeighbourField, PatchMatcher
from diffsynth_blender.patchmatch.options import MatchOptions


@pytest.fixture(scope="session")
def bands():
    return Bands("cpu", threads=2)


@pytest.fixture
def match(bands):
    """Match pictures (B, H, W, C) with channels of weight 1, unless said otherwise."""

    def run(target, source, *, weights=None, initial=None, target_mask=None, source_mask=None, threads=None, **options):
        matcher = PatchMatcher(Bands("cpu", threads=threads) if threads else bands, MatchOptions(**options))
        field = matcher.match(
            target,
            source,
            weights=weights or [1.0] * target.shape[-1],
            initial=initial,
            target_mask=target_mask,
            source_mask=source_mask,
        )
        return NearestNeighbourField(field.nnf.numpy(), field.error.numpy())

    return run
