"""`python3 -m tests.gui --blender BLENDER --worker-python PYTHON --extension ZIP --output DIR`: see README.md."""

import argparse
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from . import background, freezes, manual
from .dialog import install_by_dialog
from .dropped import Dropped
from .freezes import Freezes
from .install import Installed, install
from .jobs import Jobs
from .manual import Manual
from .outcome import Outcome, table
from .results import Results
from .sources import Sources, render_passes
from .stylising import Stylising
from .window import Window

PARTS = ("window", "background", "freezes")
PICTURES = "manual"


def main() -> int:
    """Install, go through the window and the background, tell of each step; 1 where one went wrong."""
    parser = argparse.ArgumentParser(prog="python3 -m tests.gui", description=__doc__)
    add = parser.add_argument
    add("parts", nargs="*", default=PARTS, help=f"{', '.join(PARTS)} (default: these), or {PICTURES}")
    add("--blender", type=Path, default=os.environ.get("BLENDER"), help="its executable (default: BLENDER)")
    add("--worker-python", type=Path, default=os.environ.get("DIFFSYNTH_WORKER_PYTHON"), help="the worker's Python")
    add("--extension", type=Path, required=True, help="the zip that `make extension` leaves in build/")
    add("--output", type=Path, required=True, help="folder for everything; made anew")
    add("--read-only", type=Path, required=True, help="a folder that Blender cannot write to")
    add("--frames", type=int, default=4, help="of the demo shot (default: %(default)s)")
    add("--percent", type=int, default=75, help="its size, of 384x256 (default: %(default)s)")
    add("--display", default=":78", help="X display to make (default: %(default)s)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # a polite kill ends Blender and its screen, too
    shutil.rmtree(options.output, ignore_errors=True)
    installed = install(options.blender, options.extension, options.worker_python, options.output)
    shot = installed.make_shot("shot.blend", options.frames, options.percent)
    tours = {
        "window": lambda: through_the_window(installed, shot, options.extension, options.display),
        "background": lambda: background.tour(installed, shot, options.read_only),
        "freezes": lambda: measured(installed, options.display),
        PICTURES: lambda: pictures(installed, options.display),
    }
    outcomes = []
    for outcome in chain.from_iterable(tours[part]() for part in options.parts):
        print(outcome.line, flush=True)
        outcomes.append(outcome)
    told = table(outcomes)
    (options.output / "steps.md").write_text(told, encoding="utf-8")
    print(f"\n{told}")
    return 0 if all(outcome.as_wanted for outcome in outcomes) else 1


def window_of(installed: Installed, display: str, **size: tuple[int, int]) -> Window:
    """A Blender with the extension, on a screen of its own; `size` [px] where it is not the usual one."""
    talk = installed.folder / "talk"
    return Window(installed.blender, talk, display=display, environment=installed.environment, **size)


def through_the_window(installed: Installed, shot: Path, extension: Path, display: str) -> Iterator[Outcome]:
    """Everything an artist does, in one Blender that is quit once and started again."""
    pictures = installed.folder / "pictures"
    yield from install_by_dialog(installed.blender, extension, installed.folder / "by hand", pictures, display)
    passes = render_passes(installed, shot)
    with window_of(installed, display) as window:
        for steps in (Stylising, Results, Jobs):
            yield from steps(window, shot, pictures).tour()
        yield from Sources(window, shot, pictures, passes).tour()
        yield from Dropped(window, shot, pictures).tour()


def measured(installed: Installed, display: str) -> Iterator[Outcome]:
    """How long the interface stands still, in a window of ordinary size, on a shot that is rendered already."""
    shot = installed.make_shot("freezes.blend", 6)
    job = shot.parent / "stylised" / "Scene"
    installed.run("-b", str(shot), "--command", "diffsynth", "export-job", "--output", str(job), "--prompt", "toys")
    with window_of(installed, display, size=freezes.SIZE) as window:
        yield from Freezes(window, shot, installed.folder / "pictures").tour()


def pictures(installed: Installed, display: str) -> Iterator[Outcome]:
    """What the manual shows, taken anew."""
    shot = installed.make_shot("demo.blend", manual.FRAMES)
    with window_of(installed, display, size=manual.SIZE) as window:
        yield from Manual(window, shot, installed.folder / "pictures").tour()


if __name__ == "__main__":
    sys.exit(main())
