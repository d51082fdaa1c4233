"""Training scenes for the demo model: random scenes rendered in ten looks, with exact depth and normals.

    python -m diffsynth_blender.demo.dataset --output build/dataset --scenes 600

One file a scene, `00000.npz`, all arrays of 256 x 256 or 320 x 320, row 0 on top:

    realistic, clay, gold, ice, toon, watercolour, oil, pencil, neon, miniature   uint8 (H, W, 3), sRGB as displayed
    depth           float16 (H, W), 1 / planar Z, 0 on the background; not normalised
    normal          uint8 (H, W, 3), camera space, X right, Y up, Z towards the camera, (n + 1) / 2; background 128
    caption_words   what is in the picture, between commas
    light           day, dusk, studio or night

A scene is a function of its number. Scenes that exist are skipped, so the same command resumes, and several can share
the work. Realistic, clay, gold and ice are view layers of one render; the others are painted from its passes.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import bpy
import numpy as np

from .layers import add_layers, configure
from .render import render
from .scenes import make_scene
from .stage import Stage


def main() -> None:
    """Render the scenes that are missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--output", type=Path, required=True, help="folder for the .npz files")
    parser.add_argument("--scenes", type=int, default=600, help="how many scenes")
    parser.add_argument("--first", type=int, default=0, help="number of the first scene")
    parser.add_argument(
        "--step", type=int, default=1, help="make every N-th scene only, to share the work between processes"
    )
    parser.add_argument("--threads", type=int, default=0, help="render threads; 0 uses them all")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    configure(scene, options.threads)
    add_layers(scene)
    stage = Stage(scene)
    begun, made = time.monotonic(), 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.first, options.first + options.scenes, options.step):
            path = options.output / f"{number:05d}.npz"
            if path.exists():
                continue
            words = make_scene(stage, number)
            arrays = render(stage, number, Path(folder))
            unfinished = path.with_suffix(f".{os.getpid()}.tmp")
            with unfinished.open("wb") as file:
                np.savez_compressed(file, **arrays, caption_words=np.array(words), light=np.array(stage.light))
            unfinished.replace(path)
            made += 1
            if made % 20 == 0:
                print(f"{number}: {made} scenes, {(time.monotonic() - begun) / made:.2f} s each", flush=True)


if __name__ == "__main__":
    main()
