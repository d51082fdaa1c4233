"""Ranges of a finished job that are restyled again, through the worker's command line."""

import json
from dataclasses import replace

import pytest

from diffsynth_blender.protocol import load_job, save_job
from tests.e2e.job_folder import pixels_hash, write_job_folder


def hashes(job_dir):
    return {int(path.stem): pixels_hash(path) for path in (job_dir / "output").glob("*.png")}


@pytest.fixture(scope="module")
def redone(tiny_model, run_worker, tmp_path_factory):
    """A job of seven frames with frames 3 and 4 redone: its folder, and the results before."""
    job_dir = tmp_path_factory.mktemp("redone") / "job"
    write_job_folder(job_dir, model=tiny_model, frames=7)
    assert run_worker("run", job_dir).returncode == 0
    before = hashes(job_dir)
    done = run_worker("redo", job_dir, "--frames", "3-4", "--set", "prompt=gold", "--set", "seed=7")
    assert done.returncode == 0, done.stderr
    return job_dir, before


def test_only_the_range_changes(redone):
    """Frames outside are the same to the bit, those inside are others; the settings are kept in job.json."""
    job_dir, before = redone
    after = hashes(job_dir)
    assert {frame for frame in before if before[frame] != after[frame]} == {3, 4}
    (redo,) = load_job(job_dir).redos
    assert (redo.first, redo.last, redo.settings.prompt, redo.settings.seed) == (3, 4, "gold", 7)
    assert json.loads((job_dir / "report.json").read_text())["frames"] == 7


def test_a_finished_redo_is_not_done_again(redone, run_worker):
    """The job run again writes nothing and loads no model."""
    job_dir, _ = redone
    before = {path: path.stat().st_mtime_ns for path in (job_dir / "output").iterdir()}
    done = run_worker("run", job_dir)
    assert done.returncode == 0 and "load" not in done.stderr
    assert before == {path: path.stat().st_mtime_ns for path in (job_dir / "output").iterdir()}


def test_neighbours_steady_what_is_redone(redone, run_worker, tiny_model, tmp_path):
    """The same range redone beside other neighbours comes out otherwise."""
    job_dir, _ = redone
    other = tmp_path / "job"
    write_job_folder(other, model=tiny_model, frames=7, prompt="ice", seed=3)
    assert run_worker("run", other).returncode == 0
    save_job(replace(load_job(other), redos=load_job(job_dir).redos), other)
    assert run_worker("run", other).returncode == 0
    assert hashes(other)[3] != hashes(job_dir)[3]


def test_taking_a_redo_out_brings_the_frames_back(redone, run_worker):
    """Without the redo the job is what it was, to the bit."""
    job_dir, before = redone
    save_job(replace(load_job(job_dir), redos=()), job_dir)
    assert run_worker("run", job_dir).returncode == 0
    assert hashes(job_dir) == before


def test_frames_that_are_not_there_are_refused(redone, run_worker):
    """A range must be of the shot, a setting known and possible in a redo; else the job stays as it was."""
    job_dir, _ = redone
    before = (job_dir / "job.json").read_bytes()
    cases = (
        (("5-9",), "redos[0].last"),
        (("3-4", "--set", "strenght=1"), "'strength'"),
        (("3-4", "--set", "upscale=2"), "redos[0].settings.upscale"),
    )
    for arguments, words in cases:
        done = run_worker("redo", job_dir, "--frames", *arguments)
        assert done.returncode == 2 and words in done.stderr, done.stderr
    assert (job_dir / "job.json").read_bytes() == before
