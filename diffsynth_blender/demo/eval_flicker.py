"""How much a model flickers: a captured shot restyled with the default settings, and frame by frame for comparison."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

from ..protocol import Settings, load_job, save_job
from ..worker.job import run_job

PROMPT = "a clay render of toys"


def measure_flicker(shot: Path, folder: Path, model: Path, *, prompt: str = PROMPT) -> dict[str, float]:
    """Restyle the shot of a job folder in another folder, which is emptied first.

    Returns:
        Error along the exact motion and sharpness of the result, both divided by those of independent frames.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for part in ("source", "passes"):
        shutil.copytree(shot / part, folder / part)
    settings = Settings(prompt=prompt, model=str(model.resolve()), device="cpu", baseline=True)
    save_job(replace(load_job(shot), settings=settings), folder)
    run_job(folder, frames=None, on_event=lambda event: None, is_cancelled=lambda: False)
    report = json.loads((folder / "report.json").read_text())
    flicker, sharpness = report["temporal"], report["sharpness"]
    return {
        "warp_error_ratio": flicker["warp_error_result"] / flicker["warp_error_per_frame"],
        "sharpness_ratio": sharpness["result"] / sharpness["per_frame"],
    }
