"""Impressionist oil paint: daubs of pure colour laid along the forms, warm lights, violet shadows, thick relief."""

from __future__ import annotations

import numpy as np

from ...passes.lines import blur, smoothstep
from .passes import LUMA, Passes, saturate, soft_kuwahara

STROKE = 5
"""Half the length of a stroke [pixels]."""
PAINT_LIGHT = (-0.6, -0.8)
"""Across and down: where the light on the relief comes from."""
WARM, COOL = np.array([0.07, 0.025, -0.075], np.float32), np.array([0.02, -0.03, 0.10], np.float32)
"""What lights and shadows lean to."""


def oil(passes: Passes) -> np.ndarray:
    """What texture there is becomes daubs; colours part into warm and cool; ridges of paint are lit from above."""
    image = passes.realistic
    # A painter overstates: what hardly differs in the render is a stroke of another colour here.
    image = np.clip(image + 0.9 * np.clip(image - blur(image, 5.0), -0.12, 0.12), 0, 1)
    tangent = directions(passes)
    image = along(soft_kuwahara(image, 1.4, 2.8), tangent, passes.objects)
    image = soft_kuwahara(image, 1.4, 2.8)
    luma = (image @ LUMA)[..., None]
    light = smoothstep(0.15, 0.75, luma)
    image = saturate(image, 1.55) + light * WARM + (1 - light) * COOL * smoothstep(0.0, 0.25, luma)
    # The border of each daub is a ridge of paint.
    height = np.clip(1.6 * (blur(luma, 0.6) - blur(luma, 3.0))[..., 0], -0.12, 0.12)
    down, across = np.gradient(blur(height, 0.6))
    relief = np.clip(-(PAINT_LIGHT[0] * across + PAINT_LIGHT[1] * down) * 2.2, -0.14, 0.14)
    return np.clip(0.03 + image * 0.97 + relief[..., None] * (0.35 + 0.8 * luma), 0, 1).astype(np.float32)


def directions(passes: Passes) -> np.ndarray:
    """Unit vectors (across, down) that strokes follow, (H, W, 2): around what is round, level on what is flat.

    Where a surface turns away they lie across the way it turns; the sky is painted level.
    """
    normal = blur(passes.normal, 1.5)
    # Screen space has y downwards: the normal points to (x, -y) there.
    across, down = normal[..., 1] + 0.15, normal[..., 0]
    length = np.maximum(np.hypot(across, down), 1e-6)
    return np.stack([across / length, down / length], axis=-1).astype(np.float32)


def along(image: np.ndarray, tangent: np.ndarray, objects: np.ndarray) -> np.ndarray:
    """Mean of (H, W, C) along the stroke through each pixel, which follows the directions (H, W, 2) in its object."""
    height, width = image.shape[:2]
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    total, count = image.copy(), np.ones((height, width, 1), np.float32)
    for sign in (-1.0, 1.0):
        y, x, previous = rows, columns, sign * tangent
        inside = np.ones((height, width, 1), np.float32)
        i, j = rows.astype(np.int32), columns.astype(np.int32)
        for _ in range(STROKE):
            step = tangent[i, j]
            # A direction has no sign: go on, never back.
            step = np.where((step * previous).sum(axis=-1, keepdims=True) < 0, -step, step)
            previous = step
            x, y = x + step[..., 0], y + step[..., 1]
            i, j = (np.clip(np.rint(p), 0, size - 1).astype(np.int32) for p, size in ((y, height), (x, width)))
            inside = inside * (objects[i, j] == objects)[..., None]
            total = total + inside * image[i, j]
            count = count + inside
    return total / count
