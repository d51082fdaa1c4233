"""Patch matching: the product's engine beside the same algorithm in numba, what it costs and what it finds.

Measured in one process, in turn, medians of rounds, both with as many threads as there are cores. One pair: the photo
"coffee" of scikit-image (it ships in the wheel) and a copy turned by 4 degrees, 3 % larger, moved, with noise of
sigma 0.01. Both sides get float32 pictures (H, W, 3) and return positions and errors at full size; the time includes
packing, both pyramids and all levels. Whole pixels: numba's side has no sub-pixel steps. Both try the same candidates
with the same random numbers in the same order, so both must find the same field; that is checked before timing.

One thing ours leaves out: what a neighbour suggests that has not moved since the last round, since that was tried then
and cannot win now. Numba's side tries it again, as the algorithm is published. What both share are numbers only: the
sizes of the pyramid's levels and where a round's random numbers start.
"""

from __future__ import annotations

import os
import time

import cv2
import numba
import numpy as np
import skimage.data

from diffsynth_blender.bands import Bands
from diffsynth_blender.patchmatch import matcher as product
from diffsynth_blender.patchmatch.kernels import random_key
from diffsynth_blender.patchmatch.matcher import PatchMatcher
from diffsynth_blender.patchmatch.options import MatchOptions
from diffsynth_blender.patchmatch.pyramid import level_sizes
from tests.benchmarks import numba_patchmatch
from tests.benchmarks.common import paired, ratio, spread, write_bench

SIZES = ((960, 540, 5), (960, 540, 7), (512, 512, 5), (512, 512, 7))
"""Width, height, patch size."""

WEIGHTS = (1.0, 1.0, 1.0)


def picture_pair(width: int, height: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return target, source (1, H, W, 3) in [0, 1], and where each target pixel lies in the source (1, H, W, 2)."""
    photo = skimage.data.coffee().astype(np.float32) / 255.0
    source = cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA if width < 600 else cv2.INTER_CUBIC)
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 4.0, 1.03)
    turn[:, 2] += (5.3, -3.7)
    target = cv2.warpAffine(source, turn, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    target += np.random.default_rng(0).normal(0.0, 0.01, target.shape).astype(np.float32)
    y, x = np.mgrid[:height, :width].astype(np.float64)
    true = np.stack([x, y], axis=-1) @ cv2.invertAffineTransform(turn)[:, :2].T + cv2.invertAffineTransform(turn)[:, 2]
    return np.clip(target, 0.0, 1.0)[None], np.clip(source, 0.0, 1.0)[None], true[None].astype(np.float32)


def numba_match(target: np.ndarray, source: np.ndarray, options: MatchOptions) -> tuple[np.ndarray, np.ndarray]:
    """Match one pair with the same settings in numba."""
    return numba_patchmatch.match(
        target[0],
        source[0],
        options,
        reach=product.REACH,
        coarsest_effort=product.COARSEST_EFFORT,
        level_sizes=level_sizes(target.shape[1:3], source.shape[1:3], options.coarsest),
        random_key=random_key,
    )


def psnr(result: np.ndarray, target: np.ndarray) -> float:
    """Peak signal to noise of pictures in [0, 1] [dB]."""
    return float(-10.0 * np.log10(np.mean((result - target) ** 2)))


def against_numba(width: int, height: int, patch_size: int, repeats: int) -> tuple[list[dict[str, object]], float]:
    """Rows of both sides for one pair, and how many times faster the product is."""
    target, source, _ = picture_pair(width, height)
    options = MatchOptions(patch_size=patch_size, subpixel=False)
    matcher = PatchMatcher(Bands("cpu"), options)
    field = matcher.match(target, source, weights=WEIGHTS)
    nnf, error = numba_match(target, source, options)
    same = float((field.nnf.numpy()[0] == nnf).all(axis=-1).mean())
    if same < 0.99 or abs(field.error.numpy().mean() / error.mean() - 1.0) > 0.01:
        raise AssertionError(f"both sides must do the same: {same:.1%} of the field is equal")
    what = f"{width}x{height} patch {patch_size}"
    ours, theirs = f"{what}, Warp", f"{what}, numba"
    seconds = paired(
        {
            ours: lambda: matcher.match(target, source, weights=WEIGHTS),
            theirs: lambda: numba_match(target, source, options),
        },
        repeats=repeats,
    )
    rows = [{**spread(name, seconds[name]), "error": float(error.mean())} for name in (ours, theirs)]
    rows[0]["psnr_of_vote"] = psnr(matcher.vote(field.nnf, source).numpy(), target)
    return rows, ratio(seconds, theirs, ours)


def costs(width: int, height: int, patch_size: int, repeats: int) -> tuple[list[dict[str, object]], dict[str, float]]:
    """What sub-pixel steps, a mask of a tenth of the pixels and an initial field change; no competitor."""
    target, source, true = picture_pair(width, height)
    mask = np.zeros((1, height, width), np.uint8)
    mask[:, height // 3 : height // 3 + height // 3, width // 3 : width // 3 + 3 * width // 10] = 1
    bands = Bands("cpu")
    matcher = PatchMatcher(bands, MatchOptions(patch_size=patch_size))
    whole = PatchMatcher(bands, MatchOptions(patch_size=patch_size, subpixel=False))
    sides = {
        "whole pixels": lambda: whole.match(target, source, weights=WEIGHTS),
        "sub-pixel": lambda: matcher.match(target, source, weights=WEIGHTS),
        "initial field": lambda: matcher.match(target, source, weights=WEIGHTS, initial=true),
        "tenth masked": lambda: matcher.match(target, source, weights=WEIGHTS, target_mask=mask),
        "tenth masked, initial field": lambda: matcher.match(
            target, source, weights=WEIGHTS, target_mask=mask, initial=true
        ),
    }
    seconds = paired(sides, repeats=repeats)
    rows = []
    for name, side in sides.items():
        field = side()
        searched = slice(None) if "masked" not in name else mask != 0
        row = spread(f"{width}x{height} patch {patch_size}, {name}", seconds[name])
        row["error"] = float(field.error.numpy()[searched].mean())
        distance = np.linalg.norm(field.nnf.numpy() - true, axis=-1)[searched]
        row["median_px_off"] = float(np.median(distance))
        if "masked" not in name:
            row["psnr_of_vote"] = psnr(matcher.vote(field.nnf, source).numpy(), target)
        rows.append(row)
    share = float(mask.mean())
    return rows, {
        "cost_of_a_masked_pixel": ratio(seconds, "tenth masked", "sub-pixel") / share,
        "cost_of_an_initial_field": ratio(seconds, "initial field", "sub-pixel"),
    }


def bench_patchmatch(repeats: int = 7) -> tuple[list[dict[str, object]], dict[str, float]]:
    """Return rows and ratios; `patchmatch_vs_numba` is how many times faster than numba, the least of all sizes."""
    numba.set_num_threads(min(numba.config.NUMBA_NUM_THREADS, len(os.sched_getaffinity(0))))
    rows: list[dict[str, object]] = []
    ratios: dict[str, float] = {}
    for width, height, patch_size in SIZES:
        more, faster = against_numba(width, height, patch_size, repeats)
        rows += more
        ratios[f"patchmatch_vs_numba_{width}x{height}_patch_{patch_size}"] = faster
    ratios["patchmatch_vs_numba"] = min(ratios.values())
    more, shares = costs(512, 512, 7, repeats)
    return rows + more, {**ratios, **shares}


def main() -> None:
    """Measure and write build/bench/patchmatch.json."""
    start = time.perf_counter()
    rows, ratios = bench_patchmatch()
    write_bench("patchmatch", rows, ratios)
    print(f"  {time.perf_counter() - start:.0f} s")
