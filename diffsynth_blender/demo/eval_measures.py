"""How alike two pictures are, in numbers: pixels, structure, colours, edges. Pure numpy.

Pictures are display-referred sRGB, float32 in [0, 1], shape (H, W, 3).
"""

from __future__ import annotations

import numpy as np

LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Rec. 709 weights."""


def psnr(picture: np.ndarray, truth: np.ndarray) -> float:
    """Peak signal-to-noise ratio [dB]."""
    return float(-10 * np.log10(np.mean(np.square(picture - truth)) + 1e-12))


def ssim(picture: np.ndarray, truth: np.ndarray, *, window: int = 7) -> float:
    """Structural similarity of the luma in square windows of equal weight (Wang et al. 2004), at most 1."""
    one, other = picture @ LUMA, truth @ LUMA
    means = box_mean(one, window), box_mean(other, window)
    variances = (box_mean(value * value, window) - mean**2 for value, mean in zip((one, other), means, strict=True))
    covariance = box_mean(one * other, window) - means[0] * means[1]
    structure = (2 * covariance + 0.03**2) / (sum(variances) + 0.03**2)
    return float(np.mean((2 * means[0] * means[1] + 0.01**2) / (means[0] ** 2 + means[1] ** 2 + 0.01**2) * structure))


def colour_distance(picture: np.ndarray, truth: np.ndarray) -> float:
    """How far colours would have to be moved to have the other picture's histograms, mean of channels [1/255].

    Earth mover's distance, so where in the picture a colour is does not matter.
    """
    ordered = (np.sort(values.reshape(-1, 3), axis=0) for values in (picture, truth))
    return float(255 * np.mean(np.abs(np.subtract(*ordered))))


def edge_agreement(picture: np.ndarray, truth: np.ndarray) -> float:
    """Correlation of the two pictures' edges, each seen a pixel wide to either side, at most 1."""
    one, other = (box_mean(edges(values @ LUMA), 3) for values in (picture, truth))
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def geometry_edges(inverse_depth: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Where the scene has edges, (H, W) of bool: jumps of inverse depth (H, W) and creases of the normal (H, W, 3).

    Both are controls in [0, 1].
    """
    creases = np.sqrt(sum(np.square(edges(normal[..., channel])) for channel in range(3)))
    return (edges(inverse_depth) > 0.06) | (creases > 0.25)


def edges_found(picture: np.ndarray, wanted: np.ndarray) -> float:
    """Share of the wanted edges (H, W) at which, or beside which, the picture has one of its as many strongest."""
    strength = edges(picture @ LUMA)
    count = int(wanted.sum())
    strongest = (strength >= np.partition(strength.ravel(), -count)[-count]) & (strength > 0)
    return float((box_mean(strongest.astype(np.float32), 3) > 0)[wanted].mean())


def edges(values: np.ndarray) -> np.ndarray:
    """Length of the gradient of (H, W), by central differences [per pixel]."""
    across, along = np.gradient(values.astype(np.float32))
    return np.hypot(across, along)


def box_mean(values: np.ndarray, size: int) -> np.ndarray:
    """Mean of an odd square window around each pixel of (H, W), the border continued; the shape is kept."""
    half = size // 2
    for axis in (0, 1):
        padded = np.pad(values.astype(np.float64), [(half, half) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
        windows = np.lib.stride_tricks.sliding_window_view(padded, size, axis=axis)
        values = windows.mean(axis=-1)
    return values
