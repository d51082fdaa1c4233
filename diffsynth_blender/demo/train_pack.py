"""Pack a dataset to take to another machine: `python -m diffsynth_blender.demo.train_pack --output build/packs`.

A pack is an array `pack-NNN.npy` of bytes, shape (scenes, H, W, channels), that is mapped into memory and never read
whole, and `pack-NNN.json` with number, words and light of each scene; all scenes of a pack have one size. Channels:
three of every look in the order of LOOKS, three of the normal, two of the depth (a float16). Everything that reads
scenes reads packs (train_data.SceneStore).
This file knows numpy and the layout of packs; it knows neither Blender nor torch.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from .train_data import LOOKS, Scene, load_scene

PACK_BYTES = 60_000_000
"""A pack holds as many scenes as fit below this size."""
NORMAL = 3 * len(LOOKS)
DEPTH = NORMAL + 3
CHANNELS = DEPTH + 2


def write_packs(scenes: Sequence[Path], folder: Path) -> list[Path]:
    """Write scene files into packs, each whole or not at all; returns the packs' paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for some in _packs(scenes):
        path = folder / f"pack-{len(written):03d}.npy"
        heads = [{"index": scene.index, "words": scene.words, "light": scene.light} for scene in some]
        path.with_suffix(".json").write_text(json.dumps(heads) + "\n")
        unfinished = path.with_suffix(".tmp")
        with unfinished.open("wb") as file:
            np.save(file, np.stack([_bytes_of(scene) for scene in some]))
        os.replace(unfinished, path)
        written.append(path)
    return written


def _packs(scenes: Sequence[Path]) -> Iterator[list[Scene]]:
    """Scenes of one size together, as many as a pack holds."""
    waiting: dict[tuple[int, ...], list[Scene]] = {}
    for path in scenes:
        scene = load_scene(path)
        some = waiting.setdefault(scene.depth.shape, [])
        some.append(scene)
        if len(some) >= PACK_BYTES // (scene.depth.size * CHANNELS):
            yield waiting.pop(scene.depth.shape)
    yield from waiting.values()


def _bytes_of(scene: Scene) -> np.ndarray:
    depth = np.ascontiguousarray(scene.depth, np.float16)[..., None].view(np.uint8)
    return np.concatenate([*(scene.looks[look] for look in LOOKS), scene.normal, depth], axis=-1)


def read_pack(path: Path) -> Iterator[Scene]:
    """The scenes of a pack; their arrays are views of the mapped file. Raises ValueError when it is not one."""
    pixels = np.load(path, mmap_mode="r")
    heads = json.loads(path.with_suffix(".json").read_text())
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[::3] != (len(heads), CHANNELS):
        raise ValueError(f"{path}: holds {pixels.dtype} {pixels.shape}, not a pack; run demo.train_pack again")
    for head, values in zip(heads, pixels, strict=True):
        yield Scene(
            index=head["index"],
            looks={look: values[..., 3 * i : 3 * i + 3] for i, look in enumerate(LOOKS)},
            depth=values[..., DEPTH:].view(np.float16)[..., 0],
            normal=values[..., NORMAL:DEPTH],
            words=head["words"],
            light=head["light"],
        )


def main() -> None:
    """Parse the command line and pack."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("build/dataset"), help="scenes rendered by demo.dataset")
    parser.add_argument("--output", type=Path, default=Path("build/packs"), help="folder of the packs")
    arguments = parser.parse_args()
    scenes = sorted(arguments.data.glob("[0-9][0-9][0-9][0-9][0-9].npz"))
    if not scenes:
        raise FileNotFoundError(f"{arguments.data}: no scenes NNNNN.npz; render them with demo.dataset")
    for path in write_packs(scenes, arguments.output):
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB", flush=True)


if __name__ == "__main__":
    main()
