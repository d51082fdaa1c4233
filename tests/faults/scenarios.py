"""What is killed: every kind of work that a worker does, as small as it can be."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from diffsynth_blender.protocol import Deflicker, KeyFrames
from tests.e2e.deflicker_folders import write_folders
from tests.e2e.job_folder import write_job_folder
from tests.faults.truth import Scenario, Truth, learn
from tests.faults.worker_process import run_to_end
from tests.reference.scene import demo_scene

FRAMES = 3


@pytest.fixture(scope="session")
def shot(tiny_model, tmp_path_factory) -> tuple[Scenario, Truth]:
    """A stylisation, and what it leaves when nobody disturbs it."""
    scenario = stylisation(tiny_model)
    return scenario, learn(scenario, tmp_path_factory.mktemp("shot") / "whole")


def stylisation(model: str, **settings) -> Scenario:
    """A shot of a few frames, deflickered at two of its steps."""
    smoothed = Deflicker(window=1)

    def prepare(root: Path) -> Sequence[object]:
        write_job_folder(
            root, model=model, frames=FRAMES, scene=demo_scene(48, 32), **{"deflicker": smoothed, **settings}
        )
        return "run", root

    return Scenario(prepare)


def redo(model: str, root: Path) -> Scenario:
    """One frame of a finished shot, again with another prompt. `root` keeps the shot."""
    finished = root / "finished"
    done = run_to_end(*stylisation(model).prepare(finished))
    assert done.returncode == 0, done.stderr

    def prepare(root: Path) -> Sequence[object]:
        shutil.copytree(finished, root)
        return "redo", root, "--frames", "2", "--set", "prompt=gold"

    return Scenario(prepare)


def scenario_of(kind: str, model: str, root: Path) -> Scenario:
    """A stylisation that goes another way than the plain one; `root` keeps what it starts from."""
    if kind == "redo":
        return redo(model, root)
    settings = {
        "baseline": {"baseline": True},
        "keys": {"key_frames": KeyFrames(every=FRAMES - 1)},
        "upscale": {"upscale": 2},
    }
    return stylisation(model, **settings[kind])


def deflickering(mode: str) -> Scenario:
    """A flickering clip along the exact motion; every fourth frame is a key where the mode takes keys."""

    def prepare(root: Path) -> Sequence[object]:
        folders = write_folders(root, frames=8)
        if mode == "keyframes":
            for path in folders.style.glob("*.png"):
                if int(path.stem[-4:]) not in (1, 4, 8):
                    path.unlink()
        out = root / "out"
        out.mkdir()
        paths = ("--style", folders.style, "--job", folders.job_dir, "--output", out)
        return "deflicker", *paths, "--mode", mode, "--window", 1

    return Scenario(prepare, folder="out")
