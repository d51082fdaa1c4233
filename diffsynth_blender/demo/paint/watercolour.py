"""Transparent washes on warm paper."""

from __future__ import annotations

import numpy as np

from ...passes.lines import blur, smoothstep
from .passes import LUMA, Passes, outlines, soft_kuwahara

PAPER = np.array([0.985, 0.97, 0.93], np.float32)
PENCIL = np.array([0.30, 0.27, 0.33], np.float32)


def watercolour(passes: Passes) -> np.ndarray:
    """Soft flat areas, colour that bleeds, pigment at the edges, bare paper where light is brightest, a pencil line."""
    ground = (passes.objects > 0).astype(np.float32)[..., None]
    image = soft_kuwahara(passes.realistic, 1.4, 2.6)
    image = soft_kuwahara(image, 2.0, 4.0)
    luma = (image @ LUMA)[..., None]
    # Colour runs further than light does, and pigment is purer than lit matter.
    chroma = blur(image - luma, 2.2)
    # A wash never gets as dark as oil: the tones are lifted, shadows turn to a transparent violet.
    tone = 0.34 + 0.68 * np.clip(luma * 1.15, 0, 1) ** np.float32(0.8)
    shadow = (1 - smoothstep(0.10, 0.55, luma)) * np.array([-0.03, -0.045, 0.075], np.float32)
    image = np.clip(tone + 2.0 * chroma + shadow, 0, 1)
    # Where light falls squarely the paper stays bare.
    bare = 0.55 * smoothstep(0.75, 1.05, blur(passes.light, 2.0))[..., None] * ground
    image = image + bare * (1 - image) * smoothstep(0.35, 0.75, luma)
    # The sky is a thin wash that leaves a rim of paper around what stands before it.
    halo = np.clip(1.7 * blur(ground, 5.0), 0, 1)
    wash = ground + (1 - ground) * (0.85 - 0.6 * halo)
    image = 1 - wash * (1 - image)
    # Pigment gathers on the dark side of every edge; the light side stays nearly paper.
    luma = (image @ LUMA)[..., None]
    rim = blur(luma, 2.4) - blur(luma, 0.6)
    image = np.clip(image, 0.02, 1) ** (1 + 8.0 * np.clip(rim, 0, 0.2) - 3.5 * np.clip(-rim, 0, 0.2))
    pencil = 0.55 * np.clip(blur(outlines(passes, 0.25), 0.6), 0, 1)[..., None]
    image = np.clip(image, 0, 1) * PAPER
    return np.clip(image * (1 - pencil) + PENCIL * pencil, 0, 1)
