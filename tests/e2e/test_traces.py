"""What a job shows while it runs: the latest picture, the pictures of a preview, and its events without a host."""

import hashlib
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffsynth_blender.client import DetachedWorker, is_detached, start_detached
from diffsynth_blender.protocol import JobCancelled, JobDone, JobFailed, JobNote, JobProgress
from diffsynth_blender.protocol.traces import PICTURES_FOLDER, latest_path
from tests.e2e.conftest import ENVIRONMENT, ROOT
from tests.e2e.job_folder import without_passes, write_job_folder


def hashes(job_dir):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((job_dir / "output").iterdir())}


def picture(path):
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def follow(job_dir, *kinds, seconds=120.0):
    """Follow a detached worker until an event of one of the kinds has come; returns all that came."""
    follower, events = DetachedWorker(job_dir), []
    deadline = time.monotonic() + seconds
    while not any(isinstance(event, kinds) for event in events):
        assert time.monotonic() < deadline, events[-3:]
        events += follower.poll()
        time.sleep(0.005)
    return events


@pytest.fixture
def detach(monkeypatch):
    """Start the real worker detached on a job folder; it is ended at the end of the test whatever happens."""
    folders = []
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)

    def detach(job_dir):
        folders.append(job_dir)
        return start_detached(Path(sys.executable), ROOT, job_dir)

    yield detach
    for folder in folders:
        DetachedWorker(folder).close(grace=0.0)


def test_pictures_are_shown_where_asked_for(run_worker, tiny_model, tmp_path):
    """A preview gets a picture of each control, of motion and visibility for each frame; other jobs get none."""
    asked, plain = tmp_path / "asked", tmp_path / "plain"
    for job_dir in (asked, plain):
        write_job_folder(job_dir, model=tiny_model, frames=3)
    (asked / PICTURES_FOLDER).mkdir()
    for job_dir in (asked, plain):
        assert run_worker("run", job_dir).returncode == 0
    kinds = sorted(path.name for path in (asked / PICTURES_FOLDER).iterdir())
    assert kinds == ["control-depth", "control-normal", "motion", "visibility"]
    size = picture(asked / "output" / "0001.png").shape if (asked / "output" / "0001.png").exists() else None
    for kind in kinds:
        paths = sorted((asked / PICTURES_FOLDER / kind).iterdir())
        assert [path.name for path in paths] == sorted(hashes(asked))
        assert all(size in (None, picture(path).shape) for path in paths)
        assert picture(paths[0]).std() > 0, kind
    assert hashes(asked) == hashes(plain)
    assert not (plain / PICTURES_FOLDER).exists()


def test_footage_shows_what_it_has(run_worker, tiny_model, tmp_path):
    """Without passes there is no exact motion to look at, and nothing fails for it."""
    job_dir = tmp_path / "job"
    write_job_folder(job_dir, model=tiny_model, frames=2, controls=())
    without_passes(job_dir)
    (job_dir / PICTURES_FOLDER).mkdir()
    done = run_worker("run", job_dir)
    assert done.returncode == 0, done.stderr
    assert list((job_dir / PICTURES_FOLDER).iterdir()) == []


def test_the_latest_picture_is_there_and_small(run_worker, tiny_model, tmp_path):
    """While frames are on their way, one of them can be looked at."""
    job_dir = tmp_path / "job"
    write_job_folder(job_dir, model=tiny_model, frames=2)
    assert run_worker("run", job_dir).returncode == 0
    assert max(picture(latest_path(job_dir)).shape) <= 256


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_a_detached_job_ends_by_itself_and_to_the_same_bits(run_worker, detach, tiny_model, tmp_path):
    """Killed in the middle, gone on with by a detached worker: the frames are those of a run without a break."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for job_dir in (whole, broken):
        write_job_folder(job_dir, model=tiny_model, frames=3, steps=6)
    assert run_worker("run", whole).returncode == 0
    pid = detach(broken)
    follower, steps = DetachedWorker(broken), 0
    deadline = time.monotonic() + 120
    while steps < 2:
        assert time.monotonic() < deadline
        told = [event for event in follower.poll() if isinstance(event, JobProgress) and event.stage == "denoise"]
        steps = max([steps, *(event.step for event in told)])
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    while is_detached(broken):
        time.sleep(0.01)
    pid = detach(broken)
    events = follow(broken, JobDone, JobFailed, JobCancelled)
    assert isinstance(events[-1], JobDone), events[-1]
    first = next(event for event in events if isinstance(event, JobProgress) and event.stage == "denoise")
    assert first.step >= 2
    assert any(isinstance(event, JobNote) for event in events)
    assert hashes(broken) == hashes(whole)
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert not is_detached(broken)
