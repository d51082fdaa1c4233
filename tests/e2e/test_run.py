import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from diffsynth_blender.protocol import Control, load_job, save_job
from tests.e2e.job_folder import pixels_hash, write_job_folder
from tests.reference.scene import Rectangle, Scene, lens, move, sky_waves, waves


def hashes(folder):
    return {path.name: pixels_hash(path) for path in sorted(folder.glob("*.png"))}


def modified(folder):
    return {path.name: path.stat().st_mtime_ns for path in sorted(folder.glob("*.png"))}


@pytest.fixture(scope="module")
def finished(tiny_model, run_worker, tmp_path_factory):
    """A job that was run to its end without interruption."""
    job_dir = tmp_path_factory.mktemp("finished") / "job"
    write_job_folder(job_dir, model=tiny_model, baseline=True)
    done = run_worker("run", job_dir)
    assert done.returncode == 0, done.stderr
    return job_dir


def test_a_job_leaves_frames_report_and_comparison(finished):
    """Every frame is written at its size; the report holds every figure; the comparison is there."""
    for name in hashes(finished / "source"):
        with Image.open(finished / "output" / name) as image:
            assert image.size == (64, 48)
            assert np.asarray(image).std() > 0
    report = json.loads((finished / "report.json").read_text())
    assert report["frames"] == 5
    assert {"render", "controls", "motion", "denoise", "deflicker", "vae", "write"} <= report["seconds"].keys()
    assert set(report["temporal"]) == {"warp_error_source", "warp_error_per_frame", "warp_error_result"}
    assert report["temporal"]["warp_error_result"] < report["temporal"]["warp_error_per_frame"]
    assert set(report["sharpness"]) == {"source", "per_frame", "result"}
    assert Image.open(finished / "compare.png").width > 4 * 64


def test_a_finished_job_is_not_done_again(finished, run_worker):
    """The same command on a finished job writes nothing and loads no model."""
    before = modified(finished / "output")
    done = run_worker("run", finished)
    assert done.returncode == 0
    assert modified(finished / "output") == before
    assert "denoise" not in done.stderr and "load" not in done.stderr


def test_other_settings_start_anew(finished, run_worker, tmp_path):
    """A job whose settings changed does not go on from latents and frames of the old ones."""
    job_dir = tmp_path / "job"
    job = load_job(finished)
    write_job_folder(job_dir, model=job.settings.model)
    assert run_worker("run", job_dir).returncode == 0
    first = hashes(job_dir / "output")
    save_job(replace(load_job(job_dir), settings=replace(load_job(job_dir).settings, seed=7)), job_dir)
    assert run_worker("run", job_dir).returncode == 0
    assert all(first[name] != now for name, now in hashes(job_dir / "output").items())


def test_a_part_of_the_frames(tiny_model, run_worker, tmp_path):
    """--frames writes these frames only; the rest can follow, and then there is a report."""
    job_dir = tmp_path / "job"
    write_job_folder(job_dir, model=tiny_model)
    assert run_worker("run", job_dir, "--frames", "1-2").returncode == 0
    first = modified(job_dir / "output")
    assert sorted(first) == ["0001.png", "0002.png"]
    assert not (job_dir / "report.json").exists()
    assert run_worker("run", job_dir, "--frames", "3-5").returncode == 0
    after = modified(job_dir / "output")
    assert len(after) == 5 and after.items() >= first.items()
    assert json.loads((job_dir / "report.json").read_text())["temporal"]["warp_error_per_frame"] is None


def test_a_static_scene_comes_out_as_identical_frames(tiny_model, run_worker, tmp_path):
    """Nothing moves, so every result frame holds the same bytes as the first."""
    scene = Scene(
        48,
        32,
        (Rectangle(5, (1.0, 0.8), lambda frame: move(0, 0, -4), waves(4)),),
        lambda frame: np.eye(4),
        lens(48, 32),
        sky_waves,
    )
    job_dir = tmp_path / "job"
    write_job_folder(job_dir, model=tiny_model, scene=scene, frames=6)
    done = run_worker("run", job_dir)
    assert done.returncode == 0, done.stderr
    assert len(set(hashes(job_dir / "output").values())) == 1


def test_one_frame_and_no_controls(tiny_model, run_worker, tmp_path):
    """A single frame without deflickering or ControlNets is a job like any other."""
    job_dir = tmp_path / "job"
    write_job_folder(job_dir, model=tiny_model, frames=1, deflicker=None, controls=())
    done = run_worker("run", job_dir)
    assert done.returncode == 0, done.stderr
    assert list(hashes(job_dir / "output")) == ["0001.png"]


def test_both_controls_reach_the_picture(tiny_model, run_worker, tmp_path):
    """Taking away either ControlNet changes the result."""
    results = set()
    for controls in ((Control("depth"), Control("normal")), (Control("depth"),), (Control("normal"),)):
        job_dir = tmp_path / "-".join(control.kind for control in controls)
        write_job_folder(job_dir, model=tiny_model, frames=1, controls=controls)
        assert run_worker("run", job_dir).returncode == 0
        results.add(tuple(hashes(job_dir / "output").values()))
    assert len(results) == 3
