"""`python3 -m tests.gui --blender BLENDER --worker-python PYTHON --extension ZIP --output DIR`: see README.md."""

import argparse
import os
import shutil
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

from . import background
from .install import install
from .outcome import Outcome
from .story import Story
from .window import Window


def main() -> int:
    """Install, go through the window and the background, tell of each step; 1 where one went wrong."""
    parser = argparse.ArgumentParser(prog="python3 -m tests.gui", description=__doc__)
    add = parser.add_argument
    add("parts", nargs="*", default=("window", "background"), help="window, background (default: both)")
    add("--blender", type=Path, default=os.environ.get("BLENDER"), help="its executable (default: BLENDER)")
    add("--worker-python", type=Path, default=os.environ.get("DIFFSYNTH_WORKER_PYTHON"), help="the worker's Python")
    add("--extension", type=Path, required=True, help="the zip that `make extension` leaves in build/")
    add("--output", type=Path, required=True, help="folder for everything; made anew")
    add("--read-only", type=Path, required=True, help="a folder that Blender cannot write to")
    add("--frames", type=int, default=6, help="of the demo shot (default: %(default)s)")
    add("--percent", type=int, default=100, help="its size, of 384x256 (default: %(default)s)")
    add("--display", default=":78", help="X display to make (default: %(default)s)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # a polite kill ends Blender and its screen, too
    shutil.rmtree(options.output, ignore_errors=True)
    installed = install(options.blender, options.extension, options.worker_python, options.output)
    shot = installed.make_shot("shot.blend", options.frames, options.percent)
    good = True
    if "window" in options.parts:
        talk, pictures = options.output / "talk", options.output / "pictures"
        with Window(installed.blender, talk, display=options.display, environment=installed.environment) as window:
            good &= _told(Story(window, shot, pictures).tour())
    if "background" in options.parts:
        good &= _told(background.tour(installed, shot, options.read_only))
    return 0 if good else 1


def _told(outcomes: Iterable[Outcome]) -> bool:
    """Print each outcome as it comes; whether all were as wanted."""
    good = True
    for outcome in outcomes:
        print(outcome.line, flush=True)
        good &= outcome.as_wanted
    return good


if __name__ == "__main__":
    sys.exit(main())
