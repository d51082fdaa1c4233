"""What painted looks are made of, and what several of them do to a picture.

Images are display-referred sRGB, float32 in [0, 1], shape (H, W, 3), where nothing else is said.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...passes import lines
from ...passes.lines import blur, smoothstep

LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Rec. 709 weights."""


@dataclass(frozen=True, eq=False)
class Passes:
    """What the looks are made of, all (H, W) or (H, W, 3) float32, row 0 on top.

    Attributes:
        realistic: The render as displayed, sRGB in [0, 1].
        albedo: Colour of the surfaces without light, linear, anti-aliased.
        light: Light falling on the surfaces, shadows included; 1 where it falls squarely.
        inverse_depth: 1 / planar Z, 0 on the background; one sample a pixel.
        normal: Camera space, X right, Y up, Z towards the camera, unit length; one sample a pixel.
        objects: A number per object, 0 on the background, 1 on the ground.
        to_light: Unit vector towards the main light in camera space, shape (3,).
    """

    realistic: np.ndarray
    albedo: np.ndarray
    light: np.ndarray
    inverse_depth: np.ndarray
    normal: np.ndarray
    objects: np.ndarray
    to_light: np.ndarray


def encode_srgb(linear: np.ndarray) -> np.ndarray:
    """The sRGB transfer function; values outside [0, 1] are clipped first."""
    linear = np.clip(linear, 0.0, 1.0)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055).astype(np.float32)


def outlines(passes: Passes, crease: float) -> np.ndarray:
    """Where ink lines go, (H, W) in [0, 1]: silhouettes and, thinner, folds sharper than `crease` (1 - cosine)."""
    return lines.outlines(passes.objects, passes.objects > 0, passes.normal, passes.inverse_depth, crease)


def saturate(image: np.ndarray, amount: float) -> np.ndarray:
    """Move colours away from (amount > 1) or towards grey of the same luma."""
    luma = (image @ LUMA)[..., None]
    return np.clip(luma + amount * (image - luma), 0, 1)


def posterise(image: np.ndarray, levels: int) -> np.ndarray:
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
