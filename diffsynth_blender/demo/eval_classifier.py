"""A small classifier that tells the looks apart; it learns from true renders, so it can judge restyled ones."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from .train_data import LOOKS, Scene
from .train_decoder import to_tensor

SIZE = 64
"""Pictures are judged in crops of this side [px]: by their surface, not by what stands where."""
STEPS = 400
"""Of its training, 32 crops each."""


def make_classifier() -> nn.Module:
    """Four convolutions and a mean over what they saw: 60 k parameters."""
    widths = (3, 24, 32, 48, 64)
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.GroupNorm(4, after), nn.SiLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], len(LOOKS)))


def train_classifier(scenes: Sequence[Scene], *, steps: int = STEPS, batch_size: int = 32, seed: int = 0) -> nn.Module:
    """A classifier of crops of the true renders of some scenes; a minute on one core."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    classifier = make_classifier()
    optimizer = torch.optim.AdamW(classifier.parameters(), lr=2e-3)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * (1 - step / steps)
        looks = rng.integers(len(LOOKS), size=batch_size)
        crops = np.stack([_crop(scenes[rng.integers(len(scenes))].looks[LOOKS[look]], rng) for look in looks])
        loss = functional.cross_entropy(classifier(to_tensor(crops)), torch.from_numpy(looks))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return classifier.eval()


def _crop(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    row, column = rng.integers(0, picture.shape[0] - SIZE + 1), rng.integers(0, picture.shape[1] - SIZE + 1)
    crop = picture[row : row + SIZE, column : column + SIZE]
    return crop[:, ::-1] if rng.random() < 0.5 else crop


@torch.inference_mode()
def look_of(classifier: nn.Module, picture: np.ndarray) -> int:
    """Number in LOOKS of the look that the crops of a picture, uint8 (H, W, 3), agree on."""
    rows, columns = (range(0, side - SIZE + 1, SIZE) for side in picture.shape[:2])
    crops = np.stack([picture[y : y + SIZE, x : x + SIZE] for y in rows for x in columns])
    return int(classifier(to_tensor(crops)).log_softmax(dim=1).mean(dim=0).argmax())
