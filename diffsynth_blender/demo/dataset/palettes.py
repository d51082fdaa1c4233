"""Colours of the training scenes, sRGB hexadecimal: palettes, grounds and skies."""

from __future__ import annotations

import numpy as np

PALETTES = (
    ("#e63946", "#f1faee", "#a8dadc", "#457b9d", "#1d3557"),
    ("#264653", "#2a9d8f", "#e9c46a", "#f4a261", "#e76f51"),
    ("#ffbe0b", "#fb5607", "#ff006e", "#8338ec", "#3a86ff"),
    ("#606c38", "#283618", "#fefae0", "#dda15e", "#bc6c25"),
    ("#ef476f", "#ffd166", "#06d6a0", "#118ab2", "#073b4c"),
    ("#d8572a", "#f7b538", "#780116", "#db7c26", "#c32f27"),
    ("#f72585", "#7209b7", "#3a0ca3", "#4361ee", "#4cc9f0"),
    ("#f94144", "#f3722c", "#f9c74f", "#90be6d", "#577590"),
    ("#cdb4db", "#ffc8dd", "#ffafcc", "#bde0fe", "#a2d2ff"),
    ("#5f0f40", "#9a031e", "#fb8b24", "#e36414", "#0f4c5c"),
    ("#70d6ff", "#ff70a6", "#ff9770", "#ffd670", "#e9ff70"),
    ("#1b4332", "#40916c", "#95d5b2", "#ffffff", "#d00000"),
    ("#e8e6e1", "#b8b0a6", "#7d766d", "#4a4540", "#d9a441"),
    ("#003049", "#d62828", "#f77f00", "#fcbf49", "#eae2b7"),
)
GROUNDS = {
    "wooden floor": ("wood", ("#8a5a33", "#c08a53"), 0.35),
    "checkered floor": ("checker", ("#e9e4d8", "#3d4a5c"), 0.25),
    "sand": ("noise", ("#d9b77f", "#ecd3a0", "#e2c48d"), 0.6),
    "grass": ("noise", ("#3f7a34", "#86b049", "#5f9640"), 0.5),
    "tiles": ("bricks", ("#c8654a", "#e8d7c0"), 0.35),
    "snow": ("noise", ("#dfe9f5", "#ffffff", "#f0f5fb"), 0.3),
    "polka dot cloth": ("dots", ("#2f6690", "#f2e9d8"), 0.5),
    "striped cloth": ("rings", ("#b23a48", "#f2e2c4"), 0.4),
    "marble": ("marble", ("#e8e6e1", "#7d8597"), 0.4),
    "stone": ("cells", ("#8b8f96", "#a3a7ad", "#757a82"), 0.5),
    "plain floor": ("plain", ("#b9a99a", "#b9a99a"), 1.0),
    "plain colour floor": ("plain", ("#7a9e9f", "#7a9e9f"), 1.0),
}
"""Pattern, colours and scale of grounds by name."""
SKIES = {
    "blue sky": ((0.0, "#8d8f8c"), (0.49, "#cfe3f2"), (0.52, "#bcdcf5"), (0.7, "#5d9ee0"), (1.0, "#2a62b8")),
    "grey sky": ((0.0, "#7d7d7d"), (0.49, "#d8dade"), (0.6, "#c3c9d1"), (1.0, "#98a3b0")),
    "turquoise sky": ((0.0, "#7f8c86"), (0.49, "#e4f7ec"), (0.55, "#b5ead7"), (0.72, "#56b9c9"), (1.0, "#1f7a9c")),
    "pale sky": ((0.0, "#9a958c"), (0.49, "#f4efe4"), (0.56, "#e3e6ea"), (1.0, "#a9bccd")),
    "sunset sky": ((0.0, "#7c5a4f"), (0.49, "#ffb069"), (0.53, "#ff9a62"), (0.66, "#c56a86"), (1.0, "#3b3a78")),
    "dawn sky": ((0.0, "#8a807c"), (0.49, "#ffe3c4"), (0.55, "#ffd0c0"), (0.7, "#a8b8e0"), (1.0, "#6485c8")),
    "purple sky": ((0.0, "#4b4660"), (0.49, "#e8a0a8"), (0.56, "#b98ac4"), (0.72, "#6a63b5"), (1.0, "#2b2f77")),
    "night sky": ((0.0, "#0c1018"), (0.49, "#2a3a5c"), (0.56, "#1c2a4c"), (0.75, "#101a36"), (1.0, "#080d20")),
    "blue night sky": ((0.0, "#10141c"), (0.49, "#3c4a78"), (0.55, "#2c3566"), (0.75, "#181f46"), (1.0, "#0c1030")),
}
"""Colour stops of skies by name, from straight down (0) over the horizon (0.5) to straight up (1)."""


def turned(rng: np.random.Generator, colour: str) -> str:
    """The colour with lightness and channels jittered a little."""
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], float)
    channels = np.clip(channels * rng.uniform(0.85, 1.12) + rng.normal(0, 9, 3), 0, 255)
    return "#" + "".join(f"{round(c):02x}" for c in channels)
