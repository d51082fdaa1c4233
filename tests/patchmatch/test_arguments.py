"""What is wrong is refused, and the message holds the value."""

import numpy as np
import pytest
import warp as wp

from diffsynth_blender.patchmatch.matcher import PatchMatcher
from diffsynth_blender.patchmatch.options import MatchOptions
from tests.patchmatch.pictures import noise, positions


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patch_size": 4}, "got 4"),
        ({"patch_size": 1}, "got 1"),
        ({"patch_size": 33}, "got 33"),
        ({"iterations": 0}, "iterations must be 1 or more, got 0"),
        ({"search_count": -1}, "search_count must be 0 or more, got -1"),
        ({"coarsest": 0}, "coarsest must be 1 or more, got 0"),
        ({"seed": -1}, "got -1"),
        ({"seed": 2**32}, "got 4294967296"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        MatchOptions(**options)


GUIDES = noise(2, 6, 7, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target_guides": noise(6, 7, 3)}, r"target_guides must have shape \(B, H, W, C\).*\(6, 7, 3\)"),
        ({"target_guides": noise(2, 0, 7, 3)}, r"\(2, 0, 7, 3\)"),
        ({"target_guides": GUIDES.astype(np.float64)}, "target_guides must be float32, got float64"),
        ({"source_guides": noise(2, 6, 7, 17)}, "source_guides may have up to 16 channels, got 17"),
        ({"source_guides": noise(2, 6, 7, 4)}, r"\(2, 6, 7, 4\)"),
        ({"source_guides": noise(1, 6, 7, 3)}, r"\(1, 6, 7, 3\)"),
        ({"source_guides": noise(1, 1, 32768, 3)}, r"\(1, 32768\)"),
        ({"source_guides": wp.zeros((2, 6, 14), dtype=wp.vec3, device="cpu")[:, :, ::2]}, "source_guides has gaps"),
        ({"source_guides": wp.zeros((2, 6, 7), dtype=wp.vec3d, device="cpu")}, "got vec3d"),
        ({"weights": [1, 1]}, r"3 channels, got \[1, 1\]"),
        ({"weights": [1, 1, -1]}, r"0 or more, got \[1, 1, -1\]"),
        ({"weights": [1, 1, float("nan")]}, r"got \[1, 1, nan\]"),
        ({"initial": positions(6, 7)}, r"initial must have shape \(2, 6, 7, 2\), got \(6, 7, 2\)"),
        ({"initial": np.zeros((2, 6, 7, 2), int)}, "initial must be float32, got int64"),
        ({"target_mask": np.zeros((2, 7, 6), np.uint8)}, r"target_mask must have shape \(2, 6, 7\), got \(2, 7, 6\)"),
        ({"source_mask": np.zeros((2, 6, 7), bool)}, "source_mask must be uint8, got bool"),
    ],
)
def test_wrong_arguments_are_refused(bands, changes, message):
    arguments = {"target_guides": GUIDES, "source_guides": GUIDES, "weights": [1, 1, 1], **changes}
    with pytest.raises(ValueError, match=message):
        PatchMatcher(bands).match(**arguments)


def test_wrong_styles_are_refused(bands):
    nnf = wp.zeros((2, 6, 7), dtype=wp.vec2, device="cpu")
    for style, message in (
        (noise(2, 6, 7, 4), "got 4"),
        (noise(1, 6, 7, 3), r"nnf must have shape \(1, 6, 7, 2\), got \(2, 6, 7, 2\)"),
    ):
        with pytest.raises(ValueError, match=message):
            PatchMatcher(bands).vote(nnf, style)
