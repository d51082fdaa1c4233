"""What lets a training run survive: atomic checkpoints, a clock that remembers earlier runs, a log in CSV."""

from __future__ import annotations

import csv
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

CHECKPOINT_SECONDS = 300.0


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint so that the path holds either the old one or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    os.replace(temporary, path)


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """Return the checkpoint, or None when there is none yet."""
    return torch.load(path, map_location="cpu", weights_only=True) if path.exists() else None


class TrainingClock:
    """Wall-clock seconds spent on a stage, over all of its runs; the schedule is a fraction of its budget."""

    def __init__(self, *, minutes: float, spent_seconds: float) -> None:
        """Start counting on top of what earlier runs spent."""
        self._budget_seconds = minutes * 60.0
        self._started = time.monotonic() - spent_seconds

    @property
    def spent_seconds(self) -> float:
        """Seconds spent so far, earlier runs included."""
        return time.monotonic() - self._started

    @property
    def progress(self) -> float:
        """Share of the budget spent, [0, 1]."""
        return min(self.spent_seconds / self._budget_seconds, 1.0)


def cosine_rate(progress: float, *, step: int, peak: float, warmup_steps: int = 200, floor: float = 0.02) -> float:
    """Learning rate: linear warm-up by step, then half a cosine over the time budget down to `floor * peak`."""
    warmup = min((step + 1) / warmup_steps, 1.0)
    return peak * warmup * (floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * progress)))


def append_log(path: Path, row: Mapping[str, object]) -> None:
    """Add one line to a CSV log, with a header when the file is new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(row))
        if is_new:
            writer.writeheader()
        writer.writerow(row)
