"""Every look through the worker, in the demo model's column, with that model."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from diffsynth_blender.protocol import Reference, Region, Settings, save_job
from diffsynth_blender.protocol.looks import LOOKS, apply_look, check_look
from tests.e2e.job_folder import write_job_folder


@pytest.mark.parametrize("look", list(LOOKS))
def test_every_look_runs(look, run_worker, tmp_path):
    """Frames of the size that the look gives, no longer the source's; outside its regions one leaves the source's."""
    job = write_job_folder(tmp_path, frames=2)
    Image.fromarray(np.full((20, 30, 3), (200, 90, 40), np.uint8)).save(tmp_path / "look.png")
    start = Settings(
        prompt="clay",
        device="cpu",
        reference=Reference("look.png") if "reference" in LOOKS[look].needs else None,
        regions=(Region(("card",)),) if "regions" in LOOKS[look].needs else (),
    )
    settings = apply_look(start, look)
    check_look(settings, look)
    settings = replace(settings, steps=round(2 / settings.strength) + 1)  # fewer, of which every look keeps two
    save_job(replace(job, settings=settings), tmp_path)
    done = run_worker("run", tmp_path)
    assert done.returncode == 0, done.stderr
    for frame in job.shot.frames:
        source = np.asarray(Image.open(job.shot.source_path(tmp_path, frame)).convert("RGB"))
        result = np.asarray(Image.open(tmp_path / "output" / f"{frame:04d}.png"))
        assert result.shape == (48 * settings.upscale, 64 * settings.upscale, 3)
        if settings.upscale == 1:
            changed = (result != source).any(-1)
            assert changed.any() and (changed.mean() < 0.5) == settings.keep_rest


def test_a_model_without_the_looks_control_is_refused(tiny_model, run_worker, tmp_path):
    """The tiny model has no tile ControlNet: nothing else takes its place."""
    job = write_job_folder(tmp_path, frames=1)
    settings = apply_look(Settings(prompt="clay", model=tiny_model, device="cpu"), "restore")
    save_job(replace(job, settings=settings), tmp_path)
    done = run_worker("run", tmp_path)
    assert done.returncode == 3
    assert "tile" in done.stderr.splitlines()[-1]
