"""Pictures to match: noise, and a texture that is known between its pixels."""

import numpy as np


def positions(height: int, width: int) -> np.ndarray:
    """(x, y) of every pixel, float32 (H, W, 2)."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([x, y], axis=-1)


def texture(at: np.ndarray, *, channels: int = 3, seed: int = 0) -> np.ndarray:
    """A sum of waves 5 to 20 px long that repeats nowhere near, about 0 to 1, read at `at` (..., 2)."""
    rng = np.random.default_rng(seed)
    total = np.zeros((*at.shape[:-1], channels))
    for _ in range(24):
        angle, length = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(5.0, 20.0)
        phase = 2.0 * np.pi / length * (at[..., 0] * np.cos(angle) + at[..., 1] * np.sin(angle))
        total += np.cos(phase[..., None] + rng.uniform(0.0, 2.0 * np.pi, channels)) * rng.uniform(0.5, 1.0, channels)
    return (0.5 + 0.08 * total).astype(np.float32)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    """Independent values in [0, 1), float32."""
    return np.random.default_rng(seed).random(shape, np.float32)
