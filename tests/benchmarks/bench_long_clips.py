"""Long clips: peak memory and time a frame of 240 frames beside 60, at 512x512, streamed through the smoother.

Each length runs in a fresh process. Frames and passes are computed when they are asked for, and their time is not
counted; the scene turns slowly, so that its objects stay in the picture for the whole of the longer clip.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from tests.benchmarks.common import ROOT, write_bench

SIZE = 512
LENGTHS = (60, 240)
MODES = ("fast", "accurate")
WINDOW = 7
SPEED = 0.12


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


def main() -> None:
    """Measure and write long_clips.json."""
    rows, ratios = [], {}
    for mode in MODES:
        found = {length: _run(mode, length) for length in LENGTHS}
        rows += [{"mode": mode, "frames": length, **figures} for length, figures in found.items()]
        short, long = found[LENGTHS[0]], found[LENGTHS[1]]
        ratios[f"memory_240_vs_60_frames_{mode}"] = long["peak_mb"] / short["peak_mb"]
        ratios[f"time_per_frame_240_vs_60_frames_{mode}"] = long["ms_per_frame"] / short["ms_per_frame"]
    write_bench("long_clips", rows, ratios)


def _run(mode: str, length: int) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.bench_long_clips", mode, str(length)]
    output = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return json.loads(output.splitlines()[-1])


def stream(mode: str, length: int) -> dict[str, float]:
    """Smooth a clip in this process; its peak memory [MB] and milliseconds a frame, the median over frames."""
    from diffsynth_blender.blending.smoother import Smoother
    from tests.reference.clips import clip_of
    from tests.reference.scene import demo_scene

    scene = demo_scene(SIZE, SIZE, speed=SPEED)
    numbers = list(range(1, length + 1))
    untimed = Untimed()
    clip = clip_of(scene, numbers, reader=untimed(scene.passes))
    picture = untimed(lambda index: scene.picture(numbers[index]))
    smoother = Smoother(clip, picture, mode=mode, window=WINDOW)
    times = []
    before = time.perf_counter()
    for _ in smoother.stream(picture):
        now = time.perf_counter()
        times.append(now - before - untimed.seconds)
        untimed.seconds = 0.0
        before = now
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    # The ends of a clip have half a window.
    return {"peak_mb": peak, "ms_per_frame": 1e3 * float(np.median(times[WINDOW:-WINDOW]))}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("length", type=int)
    options = parser.parse_args()
    print(json.dumps(stream(options.mode, options.length)))
