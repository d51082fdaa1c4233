"""A neon night: every edge is a glowing tube in the colour of the thing, and the street is wet."""

from __future__ import annotations

import numpy as np

from ...passes.lines import blur, smoothstep
from .passes import LUMA, Passes, encode_srgb, outlines

MAGENTA, CYAN = np.array([1.0, 0.12, 0.75], np.float32), np.array([0.08, 0.85, 1.0], np.float32)
NIGHT = np.array([0.055, 0.035, 0.13], np.float32)
REACH = 18.0
"""How far a reflection on the ground is drawn out [pixels]."""


def neon(passes: Passes) -> np.ndarray:
    """Dark surfaces lit in magenta from the left and cyan from the right, glowing lines, their halo and reflection."""
    foreground = (passes.objects > 0).astype(np.float32)[..., None]
    paint = encode_srgb(passes.albedo)
    hue = _pure(paint, passes.normal)
    across = passes.normal[..., :1]
    left, right = np.clip(0.25 - across, 0, 1) ** 1.5, np.clip(0.25 + across, 0, 1) ** 1.5
    lit = 0.25 + 0.75 * np.clip(passes.light, 0, 1)[..., None]
    tint = 0.10 + 0.55 * left * MAGENTA + 0.55 * right * CYAN
    surface = (0.15 + 0.85 * paint) * tint * lit
    sky = NIGHT + 0.35 * (blur(passes.realistic, 4.0) @ LUMA)[..., None] * np.array([0.35, 0.12, 0.6], np.float32)
    image = NIGHT * 0.5 + np.where(foreground > 0, surface, sky)
    line = outlines(passes, 0.2)[..., None]
    tube = line * blur(hue * foreground, 1.5) / np.maximum(blur(foreground, 1.5), 0.2)
    glow = 0.9 * blur(tube, 1.5) + 1.3 * blur(tube, 4.0) + 1.6 * blur(tube, 11.0)
    wet = ((passes.objects == 1) & (passes.normal[..., 1] > 0.3)).astype(np.float32)[..., None]
    image = image + glow + 0.9 * blur(wet, 0.8) * _drawn_out(glow)
    core = tube + 0.75 * smoothstep(0.3, 1.0, line)
    image = 1 - np.exp(-1.25 * np.maximum(image, core))
    return np.clip(image * 1.12, 0, 1)


def _pure(paint: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """The purest colour of the same hue; greys get the colour of the side that they face."""
    low, high = paint.min(axis=-1, keepdims=True), paint.max(axis=-1, keepdims=True)
    pure = (paint - low) / np.maximum(high - low, 1e-3)
    share = smoothstep(0.08, 0.25, (high - low) / np.maximum(high, 1e-3))
    side = smoothstep(-0.6, 0.6, normal[..., :1])
    pure = share * (0.12 + 0.88 * pure) + (1 - share) * (MAGENTA * (1 - side) + CYAN * side)
    return pure.astype(np.float32)


def _drawn_out(image: np.ndarray) -> np.ndarray:
    """The picture blurred downwards, as wet ground shows what stands behind it."""
    fade = float(np.exp(-1 / REACH))
    result = np.zeros_like(image)
    row = image[0]
    for number in range(len(image)):
        row = fade * row + (1 - fade) * image[number]
        result[number] = row
    return result
