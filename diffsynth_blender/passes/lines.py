"""Where lines go in a picture, exactly, from what its passes show: silhouettes, steps in depth, folds.

Pure numpy, so that the demo's painted looks can use it inside Blender. White lines on black, as the line ControlNets
want them (their estimators invert a drawing for the same reason).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # Blender has no OpenEXR
    from .exr import ExactPasses

CREASE = 0.16
"""1 - cosine of the angle between neighbouring normals from which a fold is drawn: 33 degrees; all of it at 47."""

SOFT_EDGE_SIGMA = 1.5 / 512
"""Blur of soft edges as a share of the shorter side: HED's edges in a frame of 512 px are three to four pixels wide."""


def line_art(passes: ExactPasses, background_depth: float) -> np.ndarray:
    """Return thin lines, float32 in [0, 1], shape (H, W): silhouettes and steps in depth full, folds fainter.

    Args:
        passes: of one frame.
        background_depth: a pixel at this depth or beyond it is background.
    """
    foreground = (passes.depth < background_depth) & (passes.depth > 0.0)
    inverse_depth = np.where(foreground, 1.0 / np.where(foreground, passes.depth, 1.0), 0.0)
    length = np.linalg.norm(passes.normal, axis=-1, keepdims=True)
    normal = passes.normal / np.maximum(length, 1e-6)
    # What is at infinity is one thing, whatever its ids.
    return outlines(np.where(foreground, passes.object_id, 0), foreground, normal, inverse_depth, CREASE)


def soft_edges(passes: ExactPasses, background_depth: float) -> np.ndarray:
    """Return the same lines slightly blurred, brightest 1 along a straight line, float32 in [0, 1], shape (H, W)."""
    lines = line_art(passes, background_depth)
    sigma = max(0.7, SOFT_EDGE_SIGMA * min(lines.shape))
    # A line two pixels wide, blurred, is that much fainter in its middle.
    return np.clip(blur(lines, sigma) * max(1.0, sigma * 1.25), 0.0, 1.0).astype(np.float32)


def outlines(
    objects: np.ndarray, foreground: np.ndarray, normal: np.ndarray, inverse_depth: np.ndarray, crease: float
) -> np.ndarray:
    """Return where ink lines go, float32 in [0, 1], shape (H, W).

    Args:
        objects: whole numbers that differ where objects differ, shape (H, W).
        foreground: whether there is an object, shape (H, W); folds and steps are looked for there only.
        normal: unit length, in any one frame of reference, shape (H, W, 3).
        inverse_depth: 1 / planar depth, 0 on the background, shape (H, W).
        crease: 1 - cosine of the sharpest fold that is not drawn.
    """
    edge = np.zeros(objects.shape, np.float32)
    fold = np.zeros_like(edge)
    step = np.zeros_like(edge)
    for axis in (0, 1):
        near = [slice(None), slice(None)]
        far = [slice(None), slice(None)]
        near[axis], far[axis] = slice(None, -1), slice(1, None)
        a, b = tuple(near), tuple(far)
        differs = (objects[a] != objects[b]).astype(np.float32)
        bend = 1 - np.sum(normal[a] * normal[b], axis=-1)
        bend = smoothstep(crease, 2 * crease, bend) * (1 - differs) * foreground[a]
        for target, value in ((edge, differs), (fold, bend)):
            np.maximum(target[a], value, out=target[a], casting="same_kind")
            np.maximum(target[b], value, out=target[b], casting="same_kind")
        if objects.shape[axis] < 3:
            continue
        # 1/z is linear across a plane on screen, so its second difference is zero there and shows steps in depth.
        inner = [slice(None), slice(None)]
        inner[axis] = slice(1, -1)
        centre = inverse_depth[tuple(inner)]
        second = np.abs(np.diff(inverse_depth, n=2, axis=axis)) / np.maximum(centre, 1e-3)
        second = second * foreground[tuple(inner)]
        found = smoothstep(0.06, 0.12, second)
        np.maximum(step[tuple(inner)], found, out=step[tuple(inner)], casting="same_kind")
    silhouette = np.clip(1.35 * blur(np.maximum(edge, step), 0.7), 0, 1)
    return np.maximum(silhouette, 0.75 * np.clip(1.3 * blur(fold, 0.6), 0, 1))


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of (H, W) or (H, W, C) with the border repeated."""
    reach = max(1, round(2.5 * sigma))
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2).astype(np.float32)
    taps /= taps.sum()
    for axis in (0, 1):
        pad = [(0, 0)] * image.ndim
        pad[axis] = (reach, reach)
        padded = np.pad(image, pad, mode="edge")
        length = image.shape[axis]
        image = sum(t * np.take(padded, range(i, i + length), axis=axis) for i, t in enumerate(taps))
    return image


def smoothstep(low: float, high: float, x: np.ndarray) -> np.ndarray:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3 - 2 * t)
