"""Cel shading with ink lines."""

from __future__ import annotations

import numpy as np

from ...passes.lines import blur, smoothstep
from .passes import LUMA, Passes, encode_srgb, outlines, posterise, saturate, soft_kuwahara

INK = np.array([0.09, 0.07, 0.15], np.float32)


def toon(passes: Passes) -> np.ndarray:
    """Flat saturated paint in three light levels, a hard highlight, dark outlines."""
    background = (passes.objects == 0)[..., None]
    paint = saturate(soft_kuwahara(encode_srgb(passes.albedo), 0.8, 1.6), 1.45)
    paint = np.clip(0.06 + 1.02 * paint, 0, 1)
    light = blur(passes.light, 0.8)[..., None]
    half = smoothstep(0.30, 0.38, light)
    full = smoothstep(0.62, 0.70, light)
    shade = np.array([0.46, 0.42, 0.62], np.float32) * (1 - half) + np.array([0.80, 0.77, 0.86], np.float32) * half
    paint = paint * (shade * (1 - full) + full)
    middle = passes.to_light + np.array([0, 0, 1], np.float32)
    middle /= np.linalg.norm(middle)
    shiny = (passes.normal @ middle) * ((passes.objects > 1) & (passes.light > 0.45))
    gloss = blur(smoothstep(0.972, 0.982, shiny), 0.6)[..., None]
    paint = paint + 0.75 * gloss * (1 - paint)
    # The sky keeps its colour and gets a few flat tones, lighter than it is.
    sky = blur(passes.realistic, 1.5)
    tone = (sky @ LUMA)[..., None]
    sky = np.clip(posterise(np.clip(0.18 + 0.90 * tone, 0, 1), 7) + 2.0 * blur(sky - tone, 2.0), 0, 1)
    image = np.where(background, sky, paint)
    ink = outlines(passes, 0.16)[..., None]
    return np.clip(image * (1 - ink) + INK * ink, 0, 1)
