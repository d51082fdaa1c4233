"""Two painted looks made from a render's passes: flat cel shading with ink lines, and watercolour.

Pure numpy. Both are functions of what the passes show and of nothing else: no noise, no paper grain, no random strokes,
so that a moving surface keeps its paint. Images are display-referred sRGB, float32 in [0, 1], shape (H, W, 3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..passes import lines
from ..passes.lines import blur, smoothstep

INK = np.array([0.09, 0.07, 0.15], np.float32)
PAPER = np.array([0.985, 0.97, 0.93], np.float32)
PENCIL = np.array([0.30, 0.27, 0.33], np.float32)
LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


@dataclass(frozen=True, eq=False)
class Passes:
    """What the looks are made of, all (H, W) or (H, W, 3) float32, row 0 on top.

    Attributes:
        realistic: The render as displayed, sRGB in [0, 1].
        diffuse: Diffuse colour, linear, anti-aliased.
        light: Light falling on the surfaces, shadows included; 1 where the sun falls squarely.
        inverse_depth: 1 / planar Z, 0 on the background; one sample a pixel.
        normal: Camera space, X right, Y up, Z towards the camera, unit length; one sample a pixel.
        objects: A number per object, 0 on the background, 1 on the ground.
        sun: Unit vector towards the sun in camera space, shape (3,).
    """

    realistic: np.ndarray
    diffuse: np.ndarray
    light: np.ndarray
    inverse_depth: np.ndarray
    normal: np.ndarray
    objects: np.ndarray
    sun: np.ndarray


def encode_srgb(linear: np.ndarray) -> np.ndarray:
    """The sRGB transfer function; values outside [0, 1] are clipped first."""
    linear = np.clip(linear, 0.0, 1.0)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055).astype(np.float32)


def outlines(passes: Passes, crease: float) -> np.ndarray:
    """Where ink lines go, (H, W) in [0, 1]: silhouettes and, thinner, folds sharper than `crease` (1 - cosine)."""
    return lines.outlines(passes.objects, passes.objects > 0, passes.normal, passes.inverse_depth, crease)


def _saturate(image: np.ndarray, amount: float) -> np.ndarray:
    """Move colours away from (amount > 1) or towards grey of the same luma."""
    luma = (image @ LUMA)[..., None]
    return np.clip(luma + amount * (image - luma), 0, 1)


def _posterise(image: np.ndarray, levels: int) -> np.ndarray:
    """Few levels with a narrow soft step between them, so that edges stay smooth."""
    scaled = image * levels
    base = np.floor(scaled)
    return (base + smoothstep(0.35, 0.65, scaled - base)) / levels


def soft_kuwahara(image: np.ndarray, sigma: float, offset: float) -> np.ndarray:
    """Edge-keeping smoothing: of eight Gaussian neighbourhoods around a pixel, the flattest ones count most."""
    mean = blur(image, sigma)
    variance = np.maximum((blur(image * image, sigma) - mean * mean).sum(axis=-1, keepdims=True), 0)
    both = np.concatenate([mean, variance], axis=-1)
    reach = int(np.ceil(offset))
    padded = np.pad(both, ((reach, reach), (reach, reach), (0, 0)), mode="edge")
    height, width = image.shape[:2]
    total = np.zeros_like(image)
    weights = np.zeros((height, width, 1), np.float32)
    for k in range(8):
        dy = reach + round(offset * np.sin(k * np.pi / 4))
        dx = reach + round(offset * np.cos(k * np.pi / 4))
        part = padded[dy : dy + height, dx : dx + width]
        weight = 1 / (part[..., 3:] + 4e-4) ** 3
        total += weight * part[..., :3]
        weights += weight
    return total / weights


def toon(passes: Passes) -> np.ndarray:
    """Cel shading: flat saturated paint in three light levels, a hard highlight, dark outlines."""
    background = (passes.objects == 0)[..., None]
    paint = _posterise(_saturate(encode_srgb(passes.diffuse), 1.45), 6)
    paint = np.clip(0.06 + 1.02 * paint, 0, 1)
    light = blur(passes.light, 0.8)[..., None]
    half = smoothstep(0.30, 0.38, light)
    full = smoothstep(0.70, 0.78, light)
    shade = np.array([0.46, 0.42, 0.62], np.float32) * (1 - half) + np.array([0.80, 0.77, 0.86], np.float32) * half
    paint = paint * (shade * (1 - full) + full)
    middle = passes.sun + np.array([0, 0, 1], np.float32)
    middle /= np.linalg.norm(middle)
    shiny = (passes.normal @ middle) * ((passes.objects > 1) & (passes.light > 0.45))
    gloss = blur(smoothstep(0.972, 0.982, shiny), 0.6)[..., None]
    paint = paint + 0.75 * gloss * (1 - paint)
    # The sky keeps its colour and gets a few flat tones, lighter than it is.
    sky = blur(passes.realistic, 1.5)
    tone = (sky @ LUMA)[..., None]
    sky = np.clip(_posterise(np.clip(0.30 + 0.80 * tone, 0, 1), 7) + 2.0 * blur(sky - tone, 2.0), 0, 1)
    image = np.where(background, sky, paint)
    ink = outlines(passes, 0.16)[..., None]
    return np.clip(image * (1 - ink) + INK * ink, 0, 1)


def watercolour(passes: Passes) -> np.ndarray:
    """Transparent washes on warm paper: soft flat areas, colour that bleeds, pigment at the edges, a pencil line."""
    ground = (passes.objects > 0).astype(np.float32)[..., None]
    image = soft_kuwahara(passes.realistic, 1.4, 2.6)
    image = soft_kuwahara(image, 1.8, 3.6)
    luma = (image @ LUMA)[..., None]
    # Colour runs further than light does, and pigment is purer than lit matter.
    chroma = blur(image - luma, 2.2)
    # A wash never gets as dark as oil: the tones are lifted, shadows turn to a transparent violet.
    tone = 0.36 + 0.66 * np.clip(luma * 1.12, 0, 1) ** np.float32(0.75)
    shadow = (1 - smoothstep(0.10, 0.55, luma)) * np.array([-0.03, -0.045, 0.075], np.float32)
    image = np.clip(tone + 1.9 * chroma + shadow, 0, 1)
    # The sky is a thin wash that leaves a rim of paper around what stands before it.
    halo = np.clip(1.7 * blur(ground, 5.0), 0, 1)
    wash = ground + (1 - ground) * (0.85 - 0.6 * halo)
    image = 1 - wash * (1 - image)
    # Pigment gathers on the dark side of every edge; the light side stays nearly paper.
    luma = (image @ LUMA)[..., None]
    rim = blur(luma, 2.4) - blur(luma, 0.6)
    image = np.clip(image, 0.02, 1) ** (1 + 7.0 * np.clip(rim, 0, 0.2) - 3.0 * np.clip(-rim, 0, 0.2))
    pencil = 0.5 * np.clip(blur(outlines(passes, 0.25), 0.6), 0, 1)[..., None]
    image = np.clip(image, 0, 1) * PAPER
    return np.clip(image * (1 - pencil) + PENCIL * pencil, 0, 1)
