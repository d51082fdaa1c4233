"""The scenes that the demo model learns from: rendered by one command, read by the training."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from diffsynth_blender.demo.train_data import LOOKS, load_scene


def render(folder: Path) -> str:
    """What the command prints when it makes scene 3 of a folder."""
    options = ("--output", str(folder), "--first", "3", "--scenes", "1", "--threads", "1")
    command = [sys.executable, "-m", "diffsynth_blender.demo.dataset", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_scene_is_rendered_in_every_look_with_its_geometry_and_words(tmp_path: Path) -> None:
    """The file holds what training reads, the looks differ, and a scene that is there is not rendered again."""
    render(tmp_path)
    path = tmp_path / "00003.npz"
    scene = load_scene(path)
    pictures = [scene.looks[look] for look in LOOKS]
    assert {picture.shape for picture in pictures} == {(256, 256, 3)} and scene.words and scene.light
    for number, one in enumerate(pictures):
        assert one.std() > 5
        for other in pictures[:number]:
            assert np.abs(one.astype(float) - other).mean() > 2
    assert scene.depth.max() == 1.0 and scene.normal.std() > 5
    made = path.stat().st_mtime_ns
    render(tmp_path)
    assert path.stat().st_mtime_ns == made
