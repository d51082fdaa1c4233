"""Drawn pictures for the autoencoder: shapes, gradients, stripes and noise that need no renderer.

An autoencoder that has seen only the demo's own objects would blur what an artist's scene contains;
a share of these keeps it a general one, and lets its training begin before the first scene is rendered.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter


def _gradient(rng: np.random.Generator, size: int) -> np.ndarray:
    """Linear colour gradient in a random direction, float, shape (size, size, 3), [0, 255]."""
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[0:size, 0:size] / size - 0.5
    ramp = np.clip(x * np.cos(angle) + y * np.sin(angle) + 0.5, 0, 1)[..., None]
    return rng.uniform(0, 255, 3) * (1 - ramp) + rng.uniform(0, 255, 3) * ramp


def _pattern(rng: np.random.Generator, size: int) -> np.ndarray:
    """Stripes, checker or smooth noise around zero, float, shape (size, size, 1), [-1, 1]."""
    y, x = np.mgrid[0:size, 0:size]
    kind = rng.integers(4)
    period = rng.uniform(4, 40)
    angle = rng.uniform(0, np.pi)
    along = (x * np.cos(angle) + y * np.sin(angle)) / period
    across = (-x * np.sin(angle) + y * np.cos(angle)) / period
    if kind == 0:
        field = np.sign(np.sin(2 * np.pi * along))
    elif kind == 1:
        field = np.sign(np.sin(2 * np.pi * along) * np.sin(2 * np.pi * across))
    elif kind == 2:
        cells = int(rng.integers(4, 64))
        noise = Image.fromarray(rng.integers(0, 255, (cells, cells), dtype=np.uint8)).resize(
            (size, size), Image.BICUBIC
        )
        field = np.asarray(noise, np.float32) / 127.5 - 1
    else:
        field = np.zeros((size, size))
    return field[..., None].astype(np.float32)


def draw_picture(rng: np.random.Generator, *, size: int = 128) -> np.ndarray:
    """Return a random picture, uint8 sRGB, shape (size, size, 3)."""
    picture = _gradient(rng, size) + rng.uniform(0, 40) * _pattern(rng, size)
    for _ in range(int(rng.integers(2, 9))):
        mask = Image.new("L", (2 * size, 2 * size))
        draw = ImageDraw.Draw(mask)
        centre = rng.uniform(0, 2 * size, 2)
        radii = rng.uniform(0.04, 0.5, 2) * size
        if rng.random() < 0.5:
            draw.ellipse((*(centre - radii), *(centre + radii)), fill=255)
        else:
            corners = int(rng.integers(3, 7))
            turn = rng.uniform(0, 2 * np.pi) + np.sort(rng.uniform(0, 2 * np.pi, corners))
            draw.polygon(
                [(float(centre[0] + radii[0] * np.cos(a)), float(centre[1] + radii[1] * np.sin(a))) for a in turn],
                fill=255,
            )
        mask = mask.resize((size, size), Image.BOX)
        if rng.random() < 0.15:
            mask = mask.filter(ImageFilter.GaussianBlur(float(rng.uniform(1, 8))))
        alpha = np.asarray(mask, np.float32)[..., None] / 255
        inside = _gradient(rng, size) + rng.uniform(0, 60) * _pattern(rng, size)
        picture = picture * (1 - alpha) + inside * alpha
    picture = picture + rng.normal(0, rng.uniform(0, 4), picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8)
