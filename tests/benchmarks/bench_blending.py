"""How well every way of blending steadies the clips with known truth, what it costs, and whether we keep our promises.

    build/venv/bench/bin/python -m tests.benchmarks.bench_blending
    build/venv/bench/bin/python -m tests.benchmarks.bench_blending --clips rigid --rows balanced accurate --frames 12

Every row runs in a process of its own, so that its memory is its own. What has been computed is kept in
build/bench/blending/ until the code or the clip that it came from changes; only runs of everything write
build/bench/blending.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.benchmarks.baselines import BASELINES, Row
from tests.benchmarks.clips.flicker import flicker
from tests.benchmarks.clips.load import CLIPS, NAMES, load_clip
from tests.benchmarks.common import OUTPUT, ROOT, read_ratios, write_bench
from tests.benchmarks.modes import DEFAULT, MODES
from tests.benchmarks.promises import check_promises
from tests.benchmarks.quality import measure

CACHE = OUTPUT / "blending"
HERE = Path(__file__).parent
PRODUCT = ROOT / "diffsynth_blender"
MOTION_CODE = [PRODUCT / "motion", PRODUCT / "bands.py", PRODUCT / "blending" / "metrics.py"]
BLENDING_CODE = [*MOTION_CODE, PRODUCT / "blending", PRODUCT / "patchmatch", HERE / "modes.py"]
CLIP_CODE = [HERE / "clips" / "load.py", HERE / "clips" / "flicker.py"]


ROWS: dict[str, Row] = {**BASELINES, **MODES}
COLUMNS = {
    "gain": ("gain", "+.2f"),
    "psnr": ("psnr", ".2f"),
    "ssim": ("ssim", ".4f"),
    "detail": ("detail", ".3f"),
    "psnr_disoccluded": ("disocc", ".2f"),
    "psnr_silhouette": ("silhou", ".2f"),
    "psnr_changing": ("shade", ".2f"),
    "warp_error": ("warp e-6", ".0f"),
    "error_flicker": ("flick e-6", ".0f"),
    "flicker_floor": ("of floor", ".2f"),
    "seconds_per_frame": ("s/frame", ".3f"),
    "peak_mb": ("peak MB", ".0f"),
}
"""Of the printed table: heading and form; warp errors in millionths."""


def main(arguments: Sequence[str] = ()) -> None:
    """Run the command line; everything when `arguments` is empty."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", nargs="*", default=list(NAMES), choices=NAMES, help="which clips (all)")
    parser.add_argument("--rows", nargs="*", default=list(ROWS), choices=list(ROWS), help="which rows (all)")
    parser.add_argument("--frames", type=int, help="only the first so many frames")
    parser.add_argument("--save", type=Path, help="write the frames as PNG below this folder as well")
    parser.add_argument("--again", action="store_true", help="compute the rows anew")
    parser.add_argument("--one", type=Path, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        run_row(options.clips[0], options.rows[0], options.frames, *options.one)
        return
    table = []
    for clip in options.clips:
        # What is there already costs nothing, and the promises are about all rows.
        known = [name for name in ROWS if figures_path(clip, name, options.frames).is_file()]
        names = [name for name in ROWS if name in ("identity", *options.rows, *known)]
        found = {name: figures_of(clip, name, options.frames, again=options.again) for name in names}
        for name, figures in found.items():
            gain = figures["psnr"] - found["identity"]["psnr"]
            floor = figures["error_flicker"] / figures["truth_warp_error"]
            table.append({"clip": clip, "row": name, "gain": gain, **figures, "flicker_floor": floor})
            if options.save:
                save_frames(frames_path(clip, name, options.frames), options.save / clip / name)
        print_table([row for row in table if row["clip"] == clip])
    promises = check_promises(table, DEFAULT)
    for line in promises:
        print(line)
    is_everything = not options.frames and set(options.clips) == set(NAMES) and set(options.rows) >= set(ROWS)
    if is_everything:
        kept = sum(line.startswith("pass") for line in promises)
        ratios = {"promises_kept": kept / len(promises), **read_ratios("remap", "patchmatch", "long_clips")}
        write_bench("blending", table, ratios, quiet=True)


def figures_of(clip: str, row: str, frames: int | None, *, again: bool = False) -> dict[str, float]:
    """The figures of one row, computed in a process of its own unless they are there already."""
    made, path = frames_path(clip, row, frames), figures_path(clip, row, frames)
    if again:
        for stale in (path, made, cost_path(made)):
            stale.unlink(missing_ok=True)
    if not path.is_file():
        print(f"{clip}: {row} ...", file=sys.stderr, flush=True)
        for stale in CACHE.glob(f"{made.stem.rpartition('-')[0]}-*"):
            if not stale.name.startswith(made.stem):
                stale.unlink()
        count = ["--frames", str(frames)] if frames else []
        # The paths go along: code that is edited meanwhile would lead the other process to others.
        command = [sys.executable, "-m", "tests.benchmarks.bench_blending", "--one", str(made), str(path)]
        subprocess.run([*command, "--clips", clip, "--rows", row, *count], cwd=ROOT, check=True)
    return json.loads(path.read_text())


def run_row(name: str, row: str, count: int | None, made: Path, path: Path) -> None:
    """Blend into `made` and write the figures to `path`, each only if it has not been done."""
    CACHE.mkdir(parents=True, exist_ok=True)
    clip = load_clip(name, count=count)
    if not (made.is_file() and cost_path(made).is_file()):
        flickering = np.stack([flicker(frame, index) for index, frame in enumerate(clip.truth)])
        warm_up(name, row, flickering)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started = time.perf_counter()
        result = np.empty_like(flickering)
        for index, frame in enumerate(ROWS[row](clip, flickering)):
            result[index] = frame
        seconds = time.perf_counter() - started
        rise = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        np.save(made, result)
        cost = {"seconds_per_frame": seconds / len(flickering), "peak_mb": rise / 1024}
        cost_path(made).write_text(json.dumps(cost))
    figures = measure(clip, np.load(made, mmap_mode="r"))
    path.write_text(json.dumps({**figures, **json.loads(cost_path(made).read_text())}))


def warm_up(name: str, row: str, flickering: np.ndarray) -> None:
    """Have kernels compiled and libraries loaded before the clock starts."""
    for _ in ROWS[row](load_clip(name, count=2), flickering[:2]):
        pass


def frames_path(clip: str, row: str, frames: int | None) -> Path:
    """Where a row's frames are kept; the name changes with whatever made them."""
    parts = list(CLIP_CODE)
    if row not in BASELINES:
        parts += BLENDING_CODE
    elif row != "identity":
        parts += [HERE / "baselines.py"]
        parts += MOTION_CODE if row.startswith("exact") else [HERE / "paper_matching.py"] if "paper" in row else []
    return CACHE / f"{clip}-{row.replace(' ', '_')}-{frames or 'all'}-{digest(clip, parts)}.npy"


def cost_path(made: Path) -> Path:
    """Where a row's time and memory are kept."""
    return made.with_suffix(".cost.json")


def figures_path(clip: str, row: str, frames: int | None) -> Path:
    """Where a row's figures are kept; they are measured anew when measuring changes."""
    how = digest(clip, [HERE / "quality.py", HERE / "clips" / "load.py", *MOTION_CODE])
    return frames_path(clip, row, frames).with_suffix(f".{how}.json")


def digest(clip: str, parts: list[Path]) -> str:
    """Hash of a clip's stamps and of source files, or folders of them."""
    value = hashlib.sha256()
    stamps = [CLIPS / clip / f"{look}.sha256" for look in ("guide", "truth")]
    files = [file for part in parts for file in (sorted(part.glob("*.py")) if part.is_dir() else [part])]
    for file in [*(stamp for stamp in stamps if stamp.is_file()), *files]:
        value.update(file.read_bytes())
    return value.hexdigest()[:12]


def save_frames(path: Path, folder: Path) -> None:
    """Write frames as PNG, numbered from 0."""
    from diffsynth_blender.passes.images import write_png

    folder.mkdir(parents=True, exist_ok=True)
    for index, frame in enumerate(np.load(path, mmap_mode="r")):
        write_png(folder / f"{index:04d}.png", frame)


def print_table(rows: list[dict[str, object]]) -> None:
    """Print the rows of one clip."""
    width = max(len(name) for name in ROWS)
    print(f"\n{rows[0]['clip']:<{width}}" + "".join(f"{heading:>10}" for heading, _ in COLUMNS.values()))
    for row in rows:
        cells = []
        for name, (heading, form) in COLUMNS.items():
            cells.append(format(row[name] * (1e6 if "e-6" in heading else 1), form))
        print(f"{row['row']:<{width}}" + "".join(f"{cell:>10}" for cell in cells))
    truth = 1e6 * rows[0]["truth_warp_error"]
    print(f"{'(the truth itself)':<{width}}" + " " * 70 + f"{truth:>10.0f}")


if __name__ == "__main__":
    main(sys.argv[1:])
