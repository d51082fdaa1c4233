"""All scenes there are to train on and to judge by, from scene files and packs; it knows neither Blender nor torch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .train_data import Scene, load_scene
from .train_pack import read_pack

HELD_OUT_COUNT = 10
"""Scenes 0 to 9 are never trained on: the contact sheets and the numbers in the model card come from them."""


class SceneStore:
    """All scenes of a folder; the folder may still be growing.

    Scene files are read into memory (about 1.3 MB each), packs (train_pack.py) are mapped.
    """

    def __init__(self, folder: Path, *, held_out_only: bool = False) -> None:
        """Remember the folder and read what is there."""
        self._folder, self._held_out_only = folder, held_out_only
        self._known: set[str] = set()
        self.training: list[Scene] = []
        self.held_out: list[Scene] = []
        self.refresh()

    def refresh(self) -> None:
        """Read what appeared since the last call."""
        single = "0000[0-9].npz" if self._held_out_only else "[0-9][0-9][0-9][0-9][0-9].npz"
        for pattern, read in ((single, _read_one), ("pack-*.npy", read_pack)):
            for path in sorted(self._folder.glob(pattern)):
                if path.name in self._known:
                    continue
                self._known.add(path.name)
                for scene in read(path):
                    if scene.index < HELD_OUT_COUNT:
                        self.held_out.append(scene)
                    elif not self._held_out_only:
                        self.training.append(scene)


def _read_one(path: Path) -> Iterator[Scene]:
    yield load_scene(path)
