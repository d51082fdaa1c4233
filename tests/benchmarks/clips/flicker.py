"""What a diffusion model does to frames it restyles one by one, imitated: a seeded spoiling of each frame by itself.

    contrast       a few percent, about mid grey
    local warps    smooth over some 24 px, up to 1 px
    colour cast    sigma 8/255: partly one colour for the whole frame, partly smooth over a quarter of the picture
    texture noise  sigma 10/255, correlated over 4 to 8 px, for the greater part in brightness

Knows numpy only.
"""

from __future__ import annotations

import numpy as np

CONTRAST = 0.03
"""Standard deviation of the contrast's factor."""
LARGEST_STEP = 1.0
"""Of the local warps [px]."""
WARP_GRAIN = 10.0
"""Standard deviation of the Gaussian that smooths the local warps [px]."""
CAST = (5.3 / 255, 6.0 / 255)
"""Standard deviation of the cast: of its constant part and of its smooth part; 8/255 together."""
TEXTURE = 10.0 / 255
TEXTURE_GRAINS = (1.3, 2.1)
"""Standard deviations [px] of the Gaussians that make the noise; its correlation halves within 2 and 3.5 px."""
SHARED = 0.8
"""Share of the texture noise's variance that all channels have in common."""


def flicker(frame: np.ndarray, index: int, *, seed: int = 0) -> np.ndarray:
    """Return `frame`, (H, W, 3) in [0, 1], as an independent restyling would give it; float32 in [0, 1].

    Args:
        frame: the truth.
        index: of the frame; frames of different index are spoiled independently.
        seed: of the whole clip.
    """
    rng = np.random.default_rng([seed, index])
    height, width = frame.shape[:2]
    contrast = 1.0 + CONTRAST * rng.normal()
    moved = 0.5 + contrast * (move(frame, warp_field(rng, height, width)) - 0.5)
    quarter = min(height, width) / 8
    cast = CAST[0] * rng.normal(size=3) + CAST[1] * smooth_noise(rng, height, width, 3, quarter)
    grains = [_grain(rng, height, width, grain) for grain in TEXTURE_GRAINS]
    texture = TEXTURE * np.sum(grains, axis=0) / np.sqrt(len(grains))
    return np.clip(moved + cast + texture, 0.0, 1.0).astype(np.float32)


def _grain(rng: np.random.Generator, height: int, width: int, grain: float) -> np.ndarray:
    """Noise of variance 1 in each channel, (H, W, 3)."""
    common = smooth_noise(rng, height, width, 1, grain)
    own = smooth_noise(rng, height, width, 3, grain)
    return np.sqrt(SHARED) * common + np.sqrt(1 - SHARED) * own


def warp_field(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A smooth displacement, (H, W, 2), the longest of which is `LARGEST_STEP`."""
    field = smooth_noise(rng, height, width, 2, WARP_GRAIN)
    return field * (LARGEST_STEP / np.linalg.norm(field, axis=-1).max())


def smooth_noise(rng: np.random.Generator, height: int, width: int, channels: int, sigma: float) -> np.ndarray:
    """Gaussian noise smoothed by a Gaussian of `sigma` pixels; mean 0, expected variance 1, (H, W, channels)."""
    margin = int(np.ceil(4 * sigma))  # the transform wraps around; what has met the other edge is cut off
    shape = (height + margin, width + margin)
    down, across = (np.exp(-2 * (np.pi * sigma * np.fft.fftfreq(side)) ** 2) for side in shape)
    response = (down[:, None] * across)[..., None]
    white = rng.normal(size=(*shape, channels))
    noise = np.fft.ifft2(np.fft.fft2(white, axes=(0, 1)) * response, axes=(0, 1)).real
    return noise[:height, :width] / np.sqrt(np.mean(response**2))


def move(frame: np.ndarray, field: np.ndarray) -> np.ndarray:
    """Read `frame` at each pixel plus `field` (x, y) [px], by Catmull-Rom; beyond the edge the edge repeats."""
    height, width = frame.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    x, y = columns + field[..., 0], rows + field[..., 1]
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    across, down = _cubic(x - left), _cubic(y - top)
    moved = np.zeros(frame.shape, np.float64)
    for j in range(4):
        for i in range(4):
            weight = (down[j] * across[i])[..., None]
            moved += weight * frame[np.clip(top - 1 + j, 0, height - 1), np.clip(left - 1 + i, 0, width - 1)]
    return moved


def _cubic(t: np.ndarray) -> list[np.ndarray]:
    """Catmull-Rom weights of the pixels at -1, 0, 1, 2 for positions `t` in [0, 1)."""
    return [
        0.5 * t * ((2 - t) * t - 1),
        0.5 * (t * t * (3 * t - 5) + 2),
        0.5 * t * ((4 - 3 * t) * t + 1),
        0.5 * t * t * (t - 1),
    ]
