"""Contact sheet of training scenes, to be looked at: `python -m diffsynth_blender.demo.train_sheet --output sheet.png`.

A row a scene: every look in the order of LOOKS, normal and depth, under number, light and words. Runs in the worker's
Python, on scene files or packs.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ..worker.compare import write_sheet
from .train_data import LOOKS, Scene
from .train_store import SceneStore


def row_of(scene: Scene, side: int) -> tuple[str, np.ndarray]:
    """Label and pictures, (columns, side, side, 3) in [0, 1], of a scene."""
    depth = np.repeat((scene.depth.astype(np.float32) * 255).round().astype(np.uint8)[..., None], 3, axis=2)
    pictures = [*(np.array(scene.looks[look]) for look in LOOKS), np.array(scene.normal), depth]
    small = [Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS) for picture in pictures]
    return f"{scene.index} {scene.light}: {scene.words}", np.stack([np.asarray(p, np.float32) / 255 for p in small])


def main(words: Sequence[str] | None = None) -> None:
    """Parse the command line and write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("build/dataset"), help="scenes rendered by demo.dataset")
    parser.add_argument("--output", type=Path, default=Path("build/dataset.png"))
    parser.add_argument("--scenes", type=int, nargs="+", default=list(range(10)), help="numbers of scenes")
    parser.add_argument("--side", type=int, default=192, help="of each picture [px]")
    arguments = parser.parse_args(words)
    store = SceneStore(arguments.data)
    scenes = [scene for scene in (*store.held_out, *store.training) if scene.index in arguments.scenes]
    if not scenes:
        raise FileNotFoundError(f"{arguments.data}: none of the scenes asked for; render them with demo.dataset")
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    print(write_sheet(arguments.output, [row_of(scene, arguments.side) for scene in scenes]))


if __name__ == "__main__":
    main()
