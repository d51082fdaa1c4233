"""A project that Blenders are at: a saved shot, and what it leads to when nobody disturbs it."""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import bpy
import numpy as np
import OpenEXR
import pytest

from diffsynth_blender.protocol import Control, Deflicker, Journal, Settings
from tests.host.faults.host_process import run_to_end
from tests.host.shots import make_shot
from tests.host.test_strip import read_png

SETTINGS = Settings(prompt="clay", steps=4, strength=1.0, controls=(Control("depth"),), deflicker=Deflicker(window=1))


@dataclass(frozen=True)
class Project:
    """A saved shot, and what it leads to when nobody disturbs it."""

    file: Path
    settings: Path
    results: dict[str, str]
    passes: dict[str, dict[str, np.ndarray]]

    def run(self, job_dir: Path) -> tuple[object, ...]:
        """Arguments of the command that does everything."""
        return self.file, "run", "--settings", self.settings, "--output", job_dir, "--no-save"


def results_of(job_dir: Path) -> dict[str, str]:
    """SHA-256 of the pixels of every finished frame; its text names the render it was made of, which has a date."""
    paths = sorted((job_dir / "output").glob("[!.]*.png"))
    return {path.name: hashlib.sha256(read_png(path).tobytes()).hexdigest() for path in paths}


def passes_of(job_dir: Path) -> dict[str, dict[str, np.ndarray]]:
    """Every channel of every file of passes."""
    found = {}
    for path in sorted((job_dir / "passes").glob("[!.]*.exr")):
        with OpenEXR.File(str(path), separate_channels=True) as file:
            found[path.name] = {name: channel.pixels.copy() for name, channel in file.channels().items()}
    return found


def are_equal(first: dict[str, dict[str, np.ndarray]], second: dict[str, dict[str, np.ndarray]]) -> bool:
    return first.keys() == second.keys() and all(
        first[name].keys() == second[name].keys()
        and all(np.array_equal(first[name][key], second[name][key], equal_nan=True) for key in first[name])
        for name in first
    )


def is_free(job_dir: Path) -> bool:
    """Whether nobody holds the lock of a job folder; raises where somebody does."""
    Journal(job_dir).close()
    return True


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Project:
    """A small shot in a saved file, run without interruption."""
    if not os.environ.get("DIFFSYNTH_WORKER_PYTHON"):
        pytest.fail("DIFFSYNTH_WORKER_PYTHON must name the worker's interpreter; `make test` sets it")
    root = tmp_path_factory.mktemp("project")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    make_shot(width=64, height=40)
    file, settings, job_dir = root / "shot.blend", root / "settings.json", root / "whole"
    bpy.ops.wm.save_as_mainfile(filepath=str(file))
    settings.write_text(json.dumps(asdict(SETTINGS)))
    empty = Project(file, settings, {}, {})
    host = run_to_end(*empty.run(job_dir))
    assert host.returncode == 0, host.stderr
    return Project(file, settings, results_of(job_dir), passes_of(job_dir))


def is_at(*stages: str) -> Callable[[dict], bool]:
    return lambda event: event["type"] == "JobProgress" and event["stage"] in stages
