"""What each package may pull in, proved in fresh interpreters: `make lint` checks the same arrows in the source."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {"torch", "diffusers", "transformers", "warp", "OpenEXR", "PIL", "numpy", "bpy"}


def loaded_by(statement: str) -> set[str]:
    """Top-level packages in sys.modules after `statement` in a fresh interpreter."""
    listing = "print(*{name.split('.')[0] for name in sys.modules}, file=sys.stderr)"
    script = f"{statement}\nimport sys\n{listing}"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


@pytest.mark.parametrize(
    "module",
    [
        "diffsynth_blender",
        "diffsynth_blender.protocol",
        "diffsynth_blender.client",
        "diffsynth_blender.worker.__main__",
        "diffsynth_blender.worker.server",
        "diffsynth_blender.models.registry",
    ],
)
def test_light_modules_import_nothing_heavy(module):
    """What Blender imports, and what answers a hello, loads no numerical package at all."""
    assert not loaded_by(f"import {module}") & HEAVY


@pytest.mark.parametrize(
    "module",
    ["diffsynth_blender.passes.exr", "diffsynth_blender.motion.clip", "diffsynth_blender.blending.smoother"],
)
def test_pixel_engines_know_no_torch(module):
    """Passes, motion and blending start in a fraction of a second: they never load torch."""
    assert not loaded_by(f"import {module}") & {"torch", "diffusers", "transformers", "bpy"}


def test_diffusion_knows_no_warp():
    """The denoising loop does not know how frames are smoothed."""
    loaded = loaded_by("import diffsynth_blender.diffusion.denoise, diffsynth_blender.models.checkpoint")
    assert "torch" in loaded and not loaded & {"warp", "bpy", "OpenEXR"}
