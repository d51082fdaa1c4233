"""The five looks on one shot: `python -m diffsynth_blender.demo.gallery --shot build/demo/job --output build/looks`.

Runs in the worker's Python, on any job folder with exact passes. Each look is a job of its own beside the shot's
frames; `gallery.png` shows consecutive frames of each below those of the render.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from ..protocol import (
    DiffSynthError,
    Event,
    FrameDone,
    Job,
    JobNote,
    Reference,
    Region,
    Settings,
    load_job,
    output_path,
    save_job,
)
from ..protocol.looks import LOOKS, apply_look
from ..worker.compare import write_sheet
from ..worker.job import run_job

FRAMES = 6
"""Of the middle of the shot: enough for a window of the deflickering."""
SHOWN = 3
"""Of these, from the middle."""

PROMPTS = {
    "render": "a realistic photo of toys on grass, hills, blue sky",
    "text": "a watercolour painting of toys on grass, hills, sky",
    "image": "a gold sculpture of toys",
    "fashion": "gold",
    "restore": "a realistic photo of toys on grass, hills, blue sky",
}
REGION = Region(("Monkey", "Ball", "Gem"), "a polished gold sculpture")
"""What the look for regions restyles of the demo shot."""


def main() -> int:
    """Run the command line and return its exit code, the same as the worker's."""
    parser = argparse.ArgumentParser(
        prog="python -m diffsynth_blender.demo.gallery", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--shot", type=Path, default=Path("build/demo/job"), help="job folder (%(default)s)")
    parser.add_argument("--output", type=Path, default=Path("build/looks"), help="for jobs and gallery (%(default)s)")
    parser.add_argument("looks", nargs="*", default=list(LOOKS), metavar="LOOK", help=f"of {', '.join(LOOKS)} (all)")
    options = parser.parse_args()
    try:
        shot = load_job(options.shot)
        rows = [("render", _pictures([shot.shot.source_path(options.shot, frame) for frame in _shown(shot)]))]
        for look in options.looks:
            rows.append((LOOKS[look].label, make_look(look, shot, options.shot.resolve(), options.output.resolve())))
    except DiffSynthError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(write_sheet(options.output / "gallery.png", rows))
    return 0


def make_look(look: str, shot: Job, shot_dir: Path, output: Path) -> np.ndarray:
    """Run a look on the middle of a shot, or go on with it; the frames that are shown, (SHOWN, H, W, 3) in [0, 1]."""
    folder = output / look
    folder.mkdir(parents=True, exist_ok=True)
    for part in ("source", "passes"):
        if not (folder / part).exists():
            os.symlink(shot_dir / part, folder / part)
    settings = apply_look(Settings(prompt=PROMPTS[look]), look)
    if "regions" in LOOKS[look].needs:
        settings = replace(settings, regions=(REGION,))
    if "reference" in LOOKS[look].needs:
        settings = replace(settings, reference=Reference(str(Path(__file__).with_name("gold.png"))))
    save_job(replace(shot, settings=settings, redos=()), folder)
    wanted = _middle(shot, FRAMES)
    run_job(folder, frames=(wanted[0], wanted[-1]), on_event=_say, is_cancelled=lambda: False)
    return _pictures([output_path(folder, frame) for frame in _shown(shot)], size=(shot.shot.width, shot.shot.height))


def _middle(shot: Job, count: int) -> Sequence[int]:
    frames = shot.shot.frames
    first = max(0, (len(frames) - count) // 2)
    return frames[first : first + count]


def _shown(shot: Job) -> Sequence[int]:
    return _middle(shot, SHOWN)


def _pictures(paths: Sequence[Path], size: tuple[int, int] | None = None) -> np.ndarray:
    """Pictures (T, H, W, 3) in [0, 1]; larger ones are made smaller to be shown beside the others."""
    images = [Image.open(path).convert("RGB") for path in paths]
    if size is not None:
        images = [image.resize(size, Image.Resampling.LANCZOS) for image in images]
    return np.stack([np.asarray(image, np.float32) / 255 for image in images])


def _say(event: Event) -> None:
    if isinstance(event, JobNote | FrameDone):
        print(event, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
