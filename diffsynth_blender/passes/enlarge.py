"""Exact passes for a larger frame: what a render of that size would hold, as far as the smaller one tells."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import warp as wp

from ..bands import Bands
from . import enlarge_kernels
from .exr import ExactPasses


def enlarge_passes(passes: ExactPasses, factor: int) -> ExactPasses:
    """Return the passes at `factor` times the size; sampled at `factor` times the offset from a pixel's centre.

    Object ids are those of the nearest pixel. Everything else is interpolated between the pixels around that show the
    same surface, depth and position as perspective wants it (1/z and position/z are linear on screen); motion is in
    pixels of the larger frame.
    """
    if factor == 1:
        return passes
    height, width = passes.depth.shape
    shape = (height * factor, width * factor)
    small = enlarge_kernels.Planes()
    large = enlarge_kernels.Planes()
    for name, kind in (
        ("depth", wp.float32),
        ("object_id", wp.int32),
        ("normal", wp.vec3),
        ("position", wp.vec3),
        ("vector", wp.vec4),
    ):
        plane = np.ascontiguousarray(getattr(passes, name))
        setattr(small, name, wp.array(plane, dtype=kind, device="cpu", copy=False))
        setattr(large, name, wp.empty(shape, dtype=kind, device="cpu"))
    _bands().launch(enlarge_kernels.enlarge, shape, [small, factor], [large])
    return ExactPasses(
        depth=large.depth.numpy(),
        normal=large.normal.numpy(),
        vector=large.vector.numpy(),
        position=large.position.numpy(),
        object_id=large.object_id.numpy(),
    )


@lru_cache(1)
def _bands() -> Bands:
    # Passes are read on the host, whatever device works on them afterwards.
    bands = Bands("cpu")
    bands.load(enlarge_kernels)
    return bands
