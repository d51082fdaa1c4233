"""Looks on one shot: `python -m diffsynth_blender.demo.gallery --shot build/demo/job --output build/looks`.

Runs in the worker's Python, on any job folder with exact passes. Each look is a job of its own beside the shot's
frames. Without more, the product's five looks, in `gallery.png`: consecutive frames of each below those of the render.
With `--pictures`, six that differ by their prompt alone, in `pictures.png`: consecutive frames, and beside them those
that are restyled one by one.
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
    baseline_path,
    load_job,
    output_path,
    save_job,
)
from ..protocol.looks import LOOKS, apply_look
from ..worker.compare import write_sheet
from ..worker.job import run_job
from .quick import MATERIAL_STRENGTH, STRENGTH, quick_settings

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
SUBJECT = "toys on grass, hills, blue sky"
PICTURES = {
    "realistic": f"a realistic photo of {SUBJECT}",
    "clay": f"a clay render of {SUBJECT}",
    "gold": "a polished gold sculpture of toys",
    "ice": "an ice sculpture of toys, snow",
    "toon": f"a toon drawing, cel shading, {SUBJECT}",
    "watercolour": f"a watercolour painting of {SUBJECT}",
    "oil": f"an oil painting of {SUBJECT}",
    "pencil": f"a pencil drawing of {SUBJECT}",
    "neon": "neon night, toys, houses",
    "miniature": f"tilt-shift miniature of {SUBJECT}",
}
"""Prompts of pictures by name: the looks that the demo model is trained on."""
SIX = ("gold", "toon", "watercolour", "oil", "pencil", "neon")
MATERIALS = ("clay", "gold", "ice")
REGION = Region(("Monkey", "Ball", "Gem"), "a polished gold sculpture")
"""What the look for regions restyles of the demo shot."""


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code, the same as the worker's."""
    parser = argparse.ArgumentParser(
        prog="python -m diffsynth_blender.demo.gallery", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--shot", type=Path, default=Path("build/demo/job"), help="job folder (%(default)s)")
    parser.add_argument("--output", type=Path, default=Path("build/looks"), help="for jobs and gallery (%(default)s)")
    parser.add_argument("--pictures", action="store_true", help="looks by prompt, beside their independent frames")
    parser.add_argument("--model", default="demo", help="model folder (%(default)s)")
    parser.add_argument(
        "looks", nargs="*", metavar="LOOK", help=f"of {', '.join(LOOKS)}; with --pictures of {', '.join(PICTURES)}"
    )
    options = parser.parse_args(words)
    names = options.looks or (SIX if options.pictures else tuple(LOOKS))
    known = PICTURES if options.pictures else LOOKS
    if unknown := [name for name in names if name not in known]:
        parser.error(f"there is no look {unknown[0]!r}; there are: {', '.join(known)}")
    model = options.model if options.model == "demo" else str(Path(options.model).resolve())
    make = make_picture if options.pictures else make_look
    try:
        shot = load_job(options.shot)
        render = _pictures([shot.shot.source_path(options.shot, frame) for frame in _shown(shot)])
        rows = [("render", np.concatenate([render, render]) if options.pictures else render)]
        for name in names:
            label = f"{name}: deflickered, then frame by frame" if options.pictures else LOOKS[name].label
            rows.append((label, make(name, shot, options.shot.resolve(), options.output.resolve(), model=model)))
    except DiffSynthError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(write_sheet(options.output / ("pictures.png" if options.pictures else "gallery.png"), rows))
    return 0


def make_look(look: str, shot: Job, shot_dir: Path, output: Path, *, model: str = "demo") -> np.ndarray:
    """Run a look on the middle of a shot, or go on with it; the frames that are shown, (SHOWN, H, W, 3) in [0, 1]."""
    settings = apply_look(Settings(prompt=PROMPTS[look], model=model), look)
    if "regions" in LOOKS[look].needs:
        settings = replace(settings, regions=(REGION,))
    if "reference" in LOOKS[look].needs:
        settings = replace(settings, reference=Reference(str(Path(__file__).with_name("gold.png"))))
    folder = _run(settings, shot, shot_dir, output / look)
    return _pictures([output_path(folder, frame) for frame in _shown(shot)], size=(shot.shot.width, shot.shot.height))


def make_picture(name: str, shot: Job, shot_dir: Path, output: Path, *, model: str = "demo") -> np.ndarray:
    """Run a prompt on the middle of a shot, or go on with it; the frames that are shown, then independent ones.

    Returns:
        Frames in [0, 1], shape (2 * SHOWN, H, W, 3).
    """
    strength = MATERIAL_STRENGTH if name in MATERIALS else STRENGTH
    settings = quick_settings(PICTURES[name], strength=strength, model=model)
    folder = _run(settings, shot, shot_dir, output / f"picture-{name}")
    return _pictures([path(folder, frame) for path in (output_path, baseline_path) for frame in _shown(shot)])


def _run(settings: Settings, shot: Job, shot_dir: Path, folder: Path) -> Path:
    """Restyle the middle of the shot in a folder beside its frames, or go on with it; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in ("source", "passes"):
        if not (folder / part).exists():
            os.symlink(shot_dir / part, folder / part)
    save_job(replace(shot, settings=settings, redos=()), folder)
    wanted = _middle(shot, FRAMES)
    run_job(folder, frames=(wanted[0], wanted[-1]), on_event=_say, is_cancelled=lambda: False)
    return folder


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
