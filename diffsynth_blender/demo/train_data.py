"""Training scenes: what `dataset/` rendered, one file a scene.

This file knows numpy and the layout of a scene file; it knows neither Blender nor torch.
A scene file `NNNNN.npz` holds, at 256x256 or 320x320: one uint8 sRGB picture per look, `depth` (float16, 1/z,
0 = background), `normal` (uint8 rgb, camera space, background 128), `caption_words` (what the scene contains, in words)
and `light` (day, dusk, studio or night).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

LOOKS = ("realistic", "clay", "gold", "ice", "toon", "watercolour", "oil", "pencil", "neon", "miniature")
"""In the order of packs and latents; the first is what is restyled."""

_SCENE_NAME = re.compile(r"^(\d{5})\.npz$")


def look_shares(weights: Mapping[str, float]) -> np.ndarray:
    """How likely each of `LOOKS` is drawn, sum 1: by its weight, 1 where it has none."""
    shares = np.array([weights.get(look, 1.0) for look in LOOKS])
    return shares / shares.sum()


@dataclass(frozen=True)
class Scene:
    """One rendered scene in every look, with its geometry."""

    index: int
    """Number in the file name."""
    looks: dict[str, np.ndarray]
    """Picture of each look, uint8 sRGB, shape (H, W, 3)."""
    depth: np.ndarray
    """Inverse planar depth normalised to [0, 1] over this scene, near = 1, background = 0, float16, shape (H, W)."""
    normal: np.ndarray
    """Camera-space normal as colour, uint8, shape (H, W, 3); background 128."""
    words: str
    """Caption words, e.g. "2 spheres, checkered cube, sand, blue sky"."""
    light: str
    """day, dusk, studio or night."""


def normalise_depth(inverse_depth: np.ndarray) -> np.ndarray:
    """Return inverse depth scaled between its 0.5 % and 99.5 % foreground quantiles, background 0, shape kept.

    The product does the same once per clip; a single scene is a clip of one frame.
    """
    inverse_depth = inverse_depth.astype(np.float32)
    foreground = inverse_depth > 0.0
    if not foreground.any():
        return np.zeros_like(inverse_depth)
    low, high = np.quantile(inverse_depth[foreground], (0.005, 0.995))
    scaled = np.clip((inverse_depth - low) / max(float(high - low), 1e-6), 0.0, 1.0)
    return np.where(foreground, scaled, 0.0)


def load_scene(path: Path) -> Scene:
    """Read one scene file; raise ValueError when it is not one."""
    match = _SCENE_NAME.match(path.name)
    if match is None:
        raise ValueError(f"{path}: a scene file is named NNNNN.npz")
    with np.load(path) as arrays:
        missing = {*LOOKS, "depth", "normal", "caption_words", "light"} - set(arrays.files)
        if missing:
            raise ValueError(f"{path}: lacks {', '.join(sorted(missing))}; render it again with demo.dataset")
        return Scene(
            index=int(match.group(1)),
            looks={look: arrays[look] for look in LOOKS},
            depth=normalise_depth(arrays["depth"]).astype(np.float16),
            normal=arrays["normal"],
            words=str(arrays["caption_words"]),
            light=str(arrays["light"]),
        )
