"""What each part of the method brings, and what deflickering costs: the demo shot with the demo model, real jobs.

Every row is a job folder run by the worker's own job runner; figures are those of its report.json, so flicker is
measured along the exact motion whatever the row steadies its frames by.
"""

import json
import shutil
import statistics
from dataclasses import replace

from diffsynth_blender.protocol import Attention, Deflicker, Noise, Settings, load_job, save_job
from diffsynth_blender.worker.job import run_job
from tests.benchmarks.common import OUTPUT, read_ratios, write_bench

SHOT = OUTPUT / "clips" / "demo"
JOBS = OUTPUT / "diffusion"
LOOK = Settings(
    prompt="a clay render of toys on grass, hills, blue sky", strength=0.6, guidance_scale=1.5, device="cpu"
)
ATTENTION = Attention()
# The last steps free, and no smoothing after them, as the demo.
STEADY = Deflicker(window=4, skip_last=3, final=False)
FIXED, SURFACE = Noise("fixed"), Noise("surface", 0.1)

ROWS: dict[str, Settings] = {
    "per-frame noise": replace(LOOK, noise=Noise("independent"), deflicker=None),
    "fixed noise": replace(LOOK, deflicker=None),
    "+ cross-frame attention": replace(LOOK, deflicker=None, attention=ATTENTION),
    "+ in-iteration deflickering (exact)": replace(LOOK, deflicker=STEADY, attention=ATTENTION),
    "the same, patch matching only": replace(LOOK, deflicker=replace(STEADY, along="matched"), attention=ATTENTION),
    "+ surface noise": replace(LOOK, noise=SURFACE, deflicker=STEADY, attention=ATTENTION),
}
FULL = "+ in-iteration deflickering (exact)"
"""The paper's method; surface noise is beyond it, and one more row."""
OWN_WORK = ("render", "write", "load", "controls")
"""Seconds of a report that are not the method's: rendering, files, loading the model."""

EVERY_FIFTH = replace(LOOK, deflicker=Deflicker(window=4, interval=5, final=False))
WITHOUT = replace(LOOK, deflicker=None)
ROUNDS = 2


def main() -> None:
    """Run all jobs and write diffusion.json."""
    rows: list[dict[str, object]] = []
    for name, settings in ROWS.items():
        report = run(name, settings)
        rows.append(
            {
                "method": name,
                "warp_error": report["temporal"]["warp_error_result"],
                "sharpness": report["sharpness"]["result"],
                "seconds_per_frame": seconds_of(report) / report["frames"],
            }
        )
    plain, full = rows[0], next(row for row in rows if row["method"] == FULL)
    write_bench(
        "diffusion",
        rows,
        {
            "warp_error_vs_per_frame": full["warp_error"] / plain["warp_error"],  # type: ignore[operator]
            "sharpness_vs_per_frame": full["sharpness"] / plain["sharpness"],  # type: ignore[operator]
            "deflicker_cost": deflicker_cost(),
            **read_ratios("memory"),
        },
    )


def deflicker_cost() -> float:
    """Time of the shot deflickered at every fifth step, motion and VAE included, divided by that without any."""
    ratios = []
    for _ in range(ROUNDS):
        with_it, without = (seconds_of(run(name, settings)) for name, settings in
                            (("every fifth step", EVERY_FIFTH), ("without", WITHOUT)))  # fmt: skip
        ratios.append(with_it / without)
    return statistics.median(ratios)


def run(name: str, settings: Settings) -> dict:
    """Run a job of the demo shot anew and return its report."""
    folder = JOBS / name.strip("+ ").replace(" ", "-").replace(",", "")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for part in ("source", "passes"):
        shutil.copytree(SHOT / part, folder / part)
    save_job(replace(load_job(SHOT), settings=settings), folder)
    run_job(folder, frames=None, on_event=lambda event: None, is_cancelled=lambda: False)
    return json.loads((folder / "report.json").read_text())


def seconds_of(report: dict) -> float:
    """What the method takes of a job's time [s]."""
    return sum(seconds for part, seconds in report["seconds"].items() if part not in OWN_WORK)
