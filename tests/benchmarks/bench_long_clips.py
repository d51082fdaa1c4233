"""Long clips: peak memory and time a frame of 240 frames beside 60, at 512x512, streamed through the smoother.

Each length runs in a fresh process and reads frames and passes from disk as it needs them; their reading is not timed.
The scene swings to and fro with a period of 24 frames, so 24 files of each kind make a clip of any length.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tests.benchmarks.common import ROOT, write_bench

SIZE = 512
LENGTHS = (60, 240)
MODES = ("fast",)
WINDOW = 7
PERIOD = 24
SWING = 6.0
"""How far the scene of 24 frames goes from its middle, in frames of the scene that it is made of."""


class Untimed:
    """Calls a function and remembers how long that took, to be taken off."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self, function: Callable) -> Callable:
        """Return `function` with its time counted here."""

        def counted(*arguments: object) -> object:
            started = time.perf_counter()
            value = function(*arguments)
            self.seconds += time.perf_counter() - started
            return value

        return counted


def main(modes: Sequence[str] = MODES) -> None:
    """Measure and write long_clips.json."""
    rows, ratios = [], {}
    with tempfile.TemporaryDirectory() as folder:
        write_cycle(Path(folder))
        for mode in modes:
            found = {length: _run(mode, length, folder) for length in LENGTHS}
            rows += [{"mode": mode, "frames": length, **figures} for length, figures in found.items()]
            short, long = found[LENGTHS[0]], found[LENGTHS[1]]
            name = "" if mode == "fast" else f"_{mode}"
            ratios[f"memory_240_vs_60_frames{name}"] = long["peak_mb"] / short["peak_mb"]
            ratios[f"time_per_frame_240_vs_60_frames{name}"] = long["ms_per_frame"] / short["ms_per_frame"]
    write_bench("long_clips", rows, ratios)


def swinging_scene(width: int = SIZE, height: int = SIZE):
    """The demo scene's rectangles, swinging: frames a period apart are the same."""
    from tests.reference.scene import demo_scene

    scene = demo_scene(width, height)

    def swing(frame: float) -> float:
        return SWING * np.sin(2 * np.pi * frame / PERIOD)

    def swung(pose: Callable[[float], np.ndarray]) -> Callable[[float], np.ndarray]:
        return lambda frame: pose(swing(frame))

    rectangles = [dataclasses.replace(rectangle, pose=swung(rectangle.pose)) for rectangle in scene.rectangles]
    return dataclasses.replace(scene, rectangles=tuple(rectangles), camera_to_world=swung(scene.camera_to_world))


def write_cycle(folder: Path) -> None:
    """Write one period of pictures and passes."""
    scene = swinging_scene()
    for frame in range(PERIOD):
        np.savez(folder / f"{frame}.npz", **dataclasses.asdict(scene.passes(frame)), picture=scene.picture(frame))


def _run(mode: str, length: int, folder: str) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.bench_long_clips", "--one", mode, str(length), folder]
    output = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return json.loads(output.splitlines()[-1])


def stream(mode: str, length: int, folder: Path) -> dict[str, float]:
    """Smooth a clip in this process; its peak memory [MB] and milliseconds a frame, the median over frames."""
    from diffsynth_blender.blending.smoother import Smoother
    from diffsynth_blender.passes.exr import ExactPasses
    from tests.reference.clips import clip_of

    numbers = list(range(1, length + 1))
    untimed = Untimed()

    def read(frame: int) -> ExactPasses:
        with np.load(folder / f"{frame % PERIOD}.npz") as file:
            return ExactPasses(**{name: file[name] for name in file if name != "picture"})

    def picture(index: int) -> np.ndarray:
        with np.load(folder / f"{numbers[index] % PERIOD}.npz") as file:
            return file["picture"]

    clip = clip_of(swinging_scene(), numbers, reader=untimed(read))
    smoother = Smoother(clip, untimed(picture), mode=mode, window=WINDOW)
    times = []
    before = time.perf_counter()
    for _ in smoother.stream(untimed(picture)):
        now = time.perf_counter()
        times.append(now - before - untimed.seconds)
        untimed.seconds = 0.0
        before = now
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    # The ends of a clip have half a window.
    return {"peak_mb": peak, "ms_per_frame": 1e3 * float(np.median(times[WINDOW:-WINDOW]))}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modes", nargs="*", default=list(MODES), help="of the smoother (%(default)s)")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(stream(options.one[0], int(options.one[1]), Path(options.one[2]))))
    else:
        main(options.modes)
