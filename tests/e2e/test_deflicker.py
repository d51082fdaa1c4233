"""`worker deflicker` as people run it: frames in, steady frames out, by a real process."""

import json
import shutil
import signal
import subprocess

import numpy as np
import pytest
from PIL import Image

from diffsynth_blender.passes.stills import encode_still, inspect, read_still
from diffsynth_blender.protocol import DeflickerFrames
from diffsynth_blender.worker.launch import run_deflicker
from tests.e2e.conftest import ENVIRONMENT, worker_command
from tests.e2e.deflicker_folders import error, read, write, write_folders
from tests.e2e.test_run import hashes, modified


def here(style, out, *, job=None, guide=None, mode="fast", window=2):
    """The same as the command line does, in this process: what is asked of it is not how it starts."""
    place = None if job is None else str(job)
    run_deflicker(
        DeflickerFrames("", str(style), str(out), guide and str(guide), place, mode, window, "cpu"),
        lambda event: None,
        lambda: False,
    )


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A flickering clip of six small frames."""
    return write_folders(tmp_path_factory.mktemp("folders"))


@pytest.mark.parametrize("mode", ["fast", "accurate"])
def test_flicker_falls_with_passes(folders, run_worker, tmp_path, mode):
    """The exact motion steadies: report and truth agree that the result is better than what came in."""
    out = tmp_path / "out"
    done = run_worker("deflicker", "--style", folders.style, "--job", folders.job_dir, "--output", out, "--mode", mode)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == f"done: {out}"
    assert list(hashes(out)) == [f"{frame:04d}.png" for frame in range(1, 7)]
    report = json.loads((out / "report.json").read_text())
    assert (report["frames"], report["width"], report["height"], report["mode"]) == (6, 64, 48, mode)
    temporal = report["temporal"]
    assert temporal["warp_error_result"] < 0.3 * temporal["warp_error_per_frame"]
    assert temporal["warp_error_source"] < temporal["warp_error_per_frame"]
    assert set(report["sharpness"]) == {"source", "per_frame", "result"}
    assert {"check", "deflicker", "write", "measure"} == report["seconds"].keys()
    assert error(out, folders.truth) < 0.5 * error(folders.style, folders.truth)


@pytest.mark.parametrize(("guide", "left"), [("guide", 0.7), ("style", 0.9)])
def test_flicker_falls_without_passes(folders, run_worker, tmp_path, guide, left):
    """Matched patches steady too: those of the plain render well, those of the flickering style itself less so."""
    out = tmp_path / "out"
    done = run_worker(
        "deflicker", "--style", folders.style, "--guide", getattr(folders, guide), "--output", out, "--window", 3
    )
    assert done.returncode == 0, done.stderr
    assert error(out, folders.truth) < left * error(folders.style, folders.truth)
    report = json.loads((out / "report.json").read_text())
    assert report["temporal"] is None and report["sharpness"]["result"] > 0


def test_torch_is_never_imported(folders, tmp_path):
    """A deflickering starts in a fraction of a second: the real process tells its imports."""
    arguments = ["deflicker", "--style", folders.style, "--guide", folders.style, "--output", tmp_path / "out"]
    python, *rest = worker_command(*arguments, "--window", 1)
    done = subprocess.run(
        [python, "-X", "importtime", *rest], capture_output=True, text=True, env=ENVIRONMENT, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    names = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "diffsynth_blender.worker.deflicker" in names and "warp" in names
    assert not {name for name in names if name.split(".")[0] in {"torch", "diffusers", "transformers"}}


@pytest.mark.parametrize("mode", ["fast", "balanced", "accurate", "keyframes"])
def test_what_stands_still_stays_as_it_is(tmp_path, mode):
    """A static clip is a fixed point, to the byte."""
    picture = np.random.default_rng(3).random((26, 34, 3))
    for frame in range(10, 14):
        write(tmp_path / "still" / f"{frame}.png", picture)
    style = tmp_path / "still"
    if mode == "keyframes":
        style = tmp_path / "keys"
        write(style / "11.png", picture)
    here(style, tmp_path / "out", guide=tmp_path / "still", mode=mode)
    results = [read(tmp_path / "out" / f"{frame:04d}.png") for frame in range(10, 14)]
    assert all(np.array_equal(result, read(tmp_path / "still" / "10.png")) for result in results)


@pytest.mark.parametrize("guide", ["job", "guide"])
def test_key_frames_make_all_frames(folders, run_worker, tmp_path, guide):
    """Two painted frames: they come out to the bit, the others look like the truth and not like the nearest key."""
    keys = tmp_path / "keys"
    for frame in (2, 5):
        write(keys / f"painted {frame}.png", read(folders.truth / f"look_{frame:04d}.png"))
    place = folders.job_dir if guide == "job" else folders.guide
    out = tmp_path / "out"
    done = run_worker("deflicker", "--style", keys, f"--{guide}", place, "--output", out, "--mode", "keyframes")
    assert done.returncode == 0, done.stderr
    assert len(hashes(out)) == 6
    for frame in (2, 5):
        assert np.array_equal(read(out / f"{frame:04d}.png"), read(keys / f"painted {frame}.png"))
    nearest = {3: 2, 4: 5}  # before the first key and after the last there is what no key shows
    held = {frame: read(keys / f"painted {key}.png") for frame, key in nearest.items()}
    truth = {frame: read(folders.truth / f"look_{frame:04d}.png") for frame in nearest}
    made = np.mean([np.mean((read(out / f"{frame:04d}.png") - truth[frame]) ** 2) for frame in nearest])
    assert made < 0.5 * np.mean([np.mean((held[frame] - truth[frame]) ** 2) for frame in nearest])
    assert (json.loads((out / "report.json").read_text())["temporal"] is None) == (guide == "guide")


@pytest.mark.parametrize("mode", ["fast", "accurate", "keyframes"])
def test_a_lost_frame_is_made_again(tmp_path, mode):
    """Delete a result in the middle: it comes back as it was, though only what it depends on is read again."""
    folders, out = write_folders(tmp_path, frames=12), tmp_path / "out"
    if mode == "keyframes":
        for frame in (2, 3, 4, 6, 7, 8, 9, 11):
            (folders.style / f"look_{frame:04d}.png").unlink()
    here(folders.style, out, job=folders.job_dir, mode=mode, window=1)
    before, times = hashes(out), modified(out)
    (out / "0006.png").unlink()
    here(folders.style, out, job=folders.job_dir, mode=mode, window=1)
    assert hashes(out) == before
    assert [name for name, time in modified(out).items() if time != times[name]] == ["0006.png"]


def test_a_lost_report_is_written_again(folders, tmp_path):
    """Gone, or cut short by a power cut: the same command makes it again, and no frame."""
    out = tmp_path / "out"
    here(folders.style, out, job=folders.job_dir)
    times, report = modified(out), json.loads((out / "report.json").read_text())
    for content in (None, b'{"frames": 6, "wid', b"\0" * 100):
        (out / "report.json").unlink()
        if content is not None:
            (out / "report.json").write_bytes(content)
        here(folders.style, out, job=folders.job_dir)
        again = json.loads((out / "report.json").read_text())
        assert again["temporal"] == report["temporal"] and again["sharpness"] == report["sharpness"]
    assert modified(out) == times


def test_other_inputs_start_anew(folders, tmp_path):
    """Fewer frames, or another window: nothing of the earlier result is left among the new one."""
    style, out = tmp_path / "style", tmp_path / "out"
    shutil.copytree(folders.style, style)
    here(style, out, job=folders.job_dir)
    before, times = hashes(out), modified(out)
    here(style, out, job=folders.job_dir)
    assert modified(out) == times, "a finished run is not done again"
    (style / "look_0006.png").unlink()
    here(style, out, job=folders.job_dir, window=1)
    assert sorted(hashes(out)) == sorted(before)[:5]
    assert not set(hashes(out).values()) & set(before.values())
    assert json.loads((out / "report.json").read_text())["frames"] == 5


def test_a_signal_cancels(run_worker, start_worker, tmp_path):
    """Exit with 130; finished frames stay, half of one never does; the same command goes on."""
    folders = write_folders(tmp_path, frames=12)
    arguments = ["deflicker", "--style", folders.style, "--job", folders.job_dir, "--output", tmp_path / "out"]
    worker = start_worker(*arguments, "--json")
    events = []
    for line in worker.stdout:
        events.append(json.loads(line))
        if events[-1]["type"] == "FrameDone" and events[-1]["frame"] == 2:
            worker.send_signal(signal.SIGINT)
    assert worker.wait(timeout=60) == 130
    assert [event["type"] for event in events].count("JobCancelled") == 1 and events[-1]["type"] == "JobCancelled"
    done = hashes(tmp_path / "out")
    assert 2 <= len(done) < 12
    assert run_worker(*arguments).returncode == 0
    assert len(hashes(tmp_path / "out")) == 12 and hashes(tmp_path / "out").items() >= done.items()


def test_sixteen_bits_stay_sixteen_bits(tmp_path):
    """Style frames of 16 bits give results of 16 bits, and nothing is lost where nothing moves."""
    picture = np.random.default_rng(5).random((26, 34, 3)).astype(np.float32)
    style = tmp_path / "style"
    style.mkdir()
    for frame in (1, 2, 3):
        (style / f"{frame}.png").write_bytes(encode_still(picture, 16))
    here(style, tmp_path / "out", guide=style)
    for frame in (1, 2, 3):
        path = tmp_path / "out" / f"{frame:04d}.png"
        assert inspect(path).depth == 16
        result = read_still(path, width=34, height=26)
        np.testing.assert_array_equal(result, read_still(style / f"{frame}.png", width=34, height=26))


def test_a_part_of_the_job_and_other_files(folders, tmp_path):
    """Frames 2 to 4 of a job, as JPEG, beside files that are no frames."""
    style = tmp_path / "style"
    style.mkdir()
    (style / "notes.txt").write_text("3")
    for frame in (2, 3, 4):
        with Image.open(folders.style / f"look_{frame:04d}.png") as image:
            image.save(style / f"{frame}.JPG", quality=95)
    here(style, tmp_path / "out", job=folders.job_dir)
    assert list(hashes(tmp_path / "out")) == ["0002.png", "0003.png", "0004.png"]
