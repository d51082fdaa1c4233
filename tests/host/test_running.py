"""Jobs that pause, go on, end or are left to themselves: with the real worker, the demo model, real processes."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import bpy
import pytest

from diffsynth_blender.client import DetachedWorker, is_detached
from diffsynth_blender.host import addon, api
from diffsynth_blender.host.capture.child import ChildCapture
from diffsynth_blender.host.jobs import attach as job_attach
from diffsynth_blender.host.jobs import failure as job_failure
from diffsynth_blender.host.jobs import history, pump
from diffsynth_blender.host.jobs.attach import Attachment
from diffsynth_blender.host.jobs.operators import resumable
from diffsynth_blender.host.jobs.record import new_record
from diffsynth_blender.host.jobs.stylisation import Continuation, Redo, begin, go_on
from diffsynth_blender.host.result import strip
from diffsynth_blender.protocol import JobProgress, load_job, output_path
from diffsynth_blender.protocol.traces import latest_path
from tests.host.running import (
    SETTINGS,
    capture_shot,
    hashes,
    is_denoising,
    is_left_alone,
    record_of,
    run_to_end,
    run_until,
    states,
    take_shot,
    workers_of,
)
from tests.host.shots import make_shot

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc"), reason="looks at processes in /proc")


@pytest.fixture(scope="module")
def captured(tmp_path_factory):
    """A captured shot."""
    return capture_shot(tmp_path_factory.mktemp("captured") / "job")


@pytest.fixture(scope="module")
def whole(captured, tmp_path_factory):
    """The results of the shot, run without a break."""
    if not os.environ.get("DIFFSYNTH_WORKER_PYTHON"):
        pytest.fail("DIFFSYNTH_WORKER_PYTHON must name the worker's interpreter; `make test` sets it")
    job_dir = take_shot(captured, tmp_path_factory.mktemp("whole") / "job")
    api.stylise(job_dir)
    return hashes(job_dir)


@pytest.fixture
def scene(tmp_path):
    """The shot's scene, in a saved file, in a Blender with the add-on."""
    addon.register()
    make_shot(width=64, height=40)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    yield bpy.context.scene
    addon.unregister()
    for worker in workers_of(tmp_path / "job"):  # a test that failed
        os.kill(worker, signal.SIGKILL)


def start(scene, job_dir) -> Continuation:
    work = Continuation(scene, record_of(scene, job_dir))
    pump.start(work)
    return work


def reopen(tmp_path) -> bpy.types.Scene:
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    return bpy.context.scene


def test_a_pause_frees_everything_and_goes_on_to_the_same_bits(scene, captured, whole, tmp_path):
    """Paused after a step, the worker is gone with its lock; resumed, the frames are those of an unbroken run."""
    job_dir = take_shot(captured, tmp_path / "job")
    work = start(scene, job_dir)
    run_until(work, is_denoising(work, 2))
    pump.pause()
    run_until(work, lambda: work.state == "paused")
    assert (pump.is_running(), pump.is_paused(), states(scene)) == (False, True, ["PAUSED"])
    work.close("")
    assert work.state == "paused" and is_left_alone(job_dir)
    finished = latest_path(job_dir).stat().st_mtime_ns
    time.sleep(0.3)
    assert latest_path(job_dir).stat().st_mtime_ns == finished
    assert bpy.ops.diffsynth.resume() == {"FINISHED"} and pump.current() is work
    run_to_end(work)
    assert (work.state, work.message.split()[:2]) == ("done", ["3", "frames"])
    assert hashes(job_dir) == whole
    assert states(scene) == ["DONE"] and workers_of(job_dir) == []


def test_a_paused_job_goes_on_from_the_file(scene, captured, whole, tmp_path):
    """Paused, saved, closed and opened again: Resume still knows the job, and the bits are the same."""
    job_dir = take_shot(captured, tmp_path / "job")
    work = start(scene, job_dir)
    run_until(work, is_denoising(work, 1))
    pump.pause()
    run_until(work, lambda: work.state == "paused")
    bpy.ops.wm.save_mainfile()
    scene = reopen(tmp_path)
    assert states(scene) == ["PAUSED"] and pump.current() is None
    # Not its button: in the background it would wait for the end.
    work = go_on(scene, resumable(scene))
    run_to_end(work)
    assert work.state == "done" and hashes(job_dir) == whole
    assert output_path(job_dir, 5).is_file() and strip.find_edit_scene(scene) is not None


def test_closing_the_file_ends_the_job_where_the_artist_chose_so(scene, captured, tmp_path):
    """No process stays, no lock stays, and the file that was saved meanwhile says so when it is opened."""
    job_dir = take_shot(captured, tmp_path / "job")
    work = start(scene, job_dir)
    run_until(work, is_denoising(work, 1))
    bpy.ops.wm.save_mainfile()
    assert workers_of(job_dir) != []
    bpy.ops.wm.read_homefile(use_empty=True)
    assert work.state == "cancelled" and is_left_alone(job_dir)
    scene = reopen(tmp_path)
    assert states(scene) == ["RUNNING"]  # as it was when it was saved
    job_attach.reconnect()
    assert states(scene) == ["CANCELLED"] and pump.current() is None
    assert "Resume goes on" in history.active(scene).message


def test_closing_the_file_lets_the_job_go_on_where_the_artist_chose_so(scene, captured, whole, tmp_path):
    """A worker in a session of its own goes on, is found by the file that is opened again, and ends by itself."""
    job_dir = take_shot(captured, tmp_path / "job")
    scene.diffsynth.jobs.on_close = "DETACH"
    work = start(scene, job_dir)
    run_until(work, is_denoising(work, 1))
    bpy.ops.wm.save_mainfile()
    [attached] = workers_of(job_dir)
    bpy.ops.wm.read_homefile(use_empty=True)
    assert work.state == "detached" and pump.current() is None
    [worker] = workers_of(job_dir)
    assert worker != attached and os.getsid(worker) == worker
    scene = reopen(tmp_path)
    job_attach.reconnect()
    work = pump.current()
    assert isinstance(work, Attachment) and states(scene) == ["RUNNING"]
    run_until(work, is_denoising(work, 2))
    run_to_end(work)
    assert work.state == "done", work.message
    assert hashes(job_dir) == whole and states(scene) == ["DONE"]
    assert strip.find_edit_scene(scene) is not None
    assert is_left_alone(job_dir) and not is_detached(job_dir)


def test_a_job_that_ended_while_the_file_was_closed_is_told(scene, captured, whole, tmp_path):
    """Opened after the end, the file gets its strip; opened after a death, it says so, and Resume goes on."""
    job_dir = take_shot(captured, tmp_path / "job")
    scene.diffsynth.jobs.on_close = "DETACH"
    work = start(scene, job_dir)
    run_until(work, is_denoising(work, 1))
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.read_homefile(use_empty=True)
    run_detached_steps(job_dir)
    [worker] = workers_of(job_dir)
    os.kill(worker, signal.SIGKILL)
    while is_detached(job_dir):
        time.sleep(0.01)
    scene = reopen(tmp_path)
    job_attach.reconnect()
    assert pump.current() is None and states(scene) == ["FAILED"]
    assert history.active(scene).error_kind == "worker_died"
    work = go_on(scene, history.active(scene))
    pump.start(work)
    run_until(work, is_denoising(work, 1))
    assert work.detach() and work.state == "detached"
    pump._tick()
    assert states(scene) == ["DETACHED"]
    bpy.ops.wm.save_mainfile()
    deadline = time.monotonic() + 120
    while is_detached(job_dir) or workers_of(job_dir):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    scene = reopen(tmp_path)
    job_attach.reconnect()
    run_to_end(pump.current(), 10)
    assert states(scene) == ["DONE"] and strip.find_edit_scene(scene) is not None
    assert hashes(job_dir) == whole


def run_detached_steps(job_dir) -> None:
    """Wait until a detached worker is denoising."""
    follower, deadline = DetachedWorker(job_dir), time.monotonic() + 120
    while not any(isinstance(event, JobProgress) and event.stage == "denoise" for event in follower.poll()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def attached(scene, job_dir) -> Attachment:
    """A job that was left to itself, found again, its first step done."""
    work = Continuation(scene, record_of(scene, job_dir))
    work.tick()
    assert work.detach()
    work = Attachment(scene, record_of(scene, job_dir))
    pump.start(work)
    run_until(work, is_denoising(work, 1))
    return work


def test_an_attached_job_is_paused_and_goes_on_like_any_other(scene, captured, whole, tmp_path):
    """What was found again is held and let go on by the same buttons, to the same bits."""
    job_dir = take_shot(captured, tmp_path / "job")
    work = attached(scene, job_dir)
    pump.pause()
    run_until(work, lambda: work.state == "paused")
    work.close("")
    assert is_left_alone(job_dir) and not is_detached(job_dir)
    assert bpy.ops.diffsynth.resume() == {"FINISHED"}
    work = pump.current()
    run_to_end(work)
    assert (work.state, hashes(job_dir), states(scene)) == ("done", whole, ["DONE"])


def test_an_attached_job_is_cancelled_like_any_other(scene, captured, tmp_path):
    """What was found again is stopped by the same button, and nothing stays."""
    job_dir = take_shot(captured, tmp_path / "job")
    work = attached(scene, job_dir)
    pump.cancel()
    run_until(work, lambda: work.state == "cancelled")
    work.close("")
    assert is_left_alone(job_dir) and states(scene) == ["CANCELLED"]


def test_cancelled_twice_the_worker_is_gone_at_once(scene, captured, tmp_path):
    """Whoever presses again does not wait for a step."""
    job_dir = take_shot(captured, tmp_path / "job")
    work = start(scene, job_dir)
    run_until(work, lambda: work.progress.text.startswith(("Loading", "Finding", "Denoising")))
    pump.cancel()
    pump.cancel()
    assert work.state == "cancelled"
    work.close("")
    assert is_left_alone(job_dir) and states(scene) == ["CANCELLED"]


def test_frames_are_redone_against_their_neighbours(scene, captured, whole, tmp_path):
    """One frame with another prompt: it changes, the others stay to the bit, and the history knows both."""
    job_dir = take_shot(captured, tmp_path / "job")
    work = start(scene, job_dir)
    run_to_end(work)
    settings = replace(SETTINGS, prompt="gold")
    redo = begin(scene, new_record(scene.name, job_dir, range(5, 6), settings, kind="REDO"))
    assert isinstance(redo, Redo)
    pump.start(redo)
    run_to_end(redo)
    assert redo.state == "done", redo.message
    changed = {name for name, value in hashes(job_dir).items() if value != whole[name]}
    assert changed == {"0005.png"}
    assert states(scene) == ["DONE", "DONE"] and load_job(job_dir).redos[0].settings.prompt == "gold"


def test_a_render_waits_while_it_is_paused(scene, tmp_path):
    """Held before its next frame, a second Blender renders nothing until it is told to; cancelled, it is gone."""
    work = begin(scene, new_record(scene.name, tmp_path / "job", range(1, 200), SETTINGS))
    pump.start(work)
    run_until(work, lambda: work.progress.factor > 0)
    pump.pause()
    assert work.state == "paused" and work.is_held and pump.is_running()
    child = work._preparations._current
    assert isinstance(child, ChildCapture)
    time.sleep(1.5)  # the frame that was under way
    done = child.tick().renders_done
    time.sleep(2.0)
    assert child.tick().renders_done == done
    pump.resume()
    run_until(work, lambda: child.status.renders_done > done + 1)
    pump.pause()
    pump.cancel()
    run_until(work, lambda: work.is_over, 20)
    assert work.state == "cancelled" and child._process.wait(10) == 130
    assert not (tmp_path / "job" / "job.json").exists()


def test_why_it_failed_stays_with_its_remedies(scene, captured, tmp_path):
    """A job whose model is gone is told of, in the history and for the report, with the worker's traceback."""
    job_dir = take_shot(captured, tmp_path / "job")
    work = start(scene, job_dir)
    (job_dir / "source" / "0005.png").unlink()
    run_to_end(work)
    failure = job_failure.last(scene)
    assert (work.state, failure.kind, states(scene)) == ("failed", "bad_job", ["FAILED"])
    report = job_failure.report(failure)
    assert "0005.png" in report and str(job_dir) in report and "Traceback" in report


@pytest.mark.parametrize("on_close", ["END", "DETACH"])
def test_quitting_leaves_behind_what_was_chosen(captured, whole, tmp_path, on_close):
    """Blender quits in the middle of a job: nothing stays, or one worker that does the job and ends by itself."""
    job_dir = take_shot(captured, tmp_path / "job")
    attached = quit_in_the_middle(job_dir, on_close)
    assert not os.path.exists(f"/proc/{attached}")
    if on_close == "DETACH":
        [worker] = workers_of(job_dir)
        assert worker != attached and os.getsid(worker) == worker and is_detached(job_dir)
        deadline = time.monotonic() + 120
        while os.path.exists(f"/proc/{worker}"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert hashes(job_dir) == whole
    assert is_left_alone(job_dir) and not is_detached(job_dir)


def quit_in_the_middle(*arguments: object) -> int:
    """Have another Blender quit while it is at a job, see leaving_host.py; returns the process that was at it."""
    command = [sys.executable, str(Path(__file__).parent / "leaving_host.py"), *map(str, arguments)]
    job_dir = Path(arguments[0])
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "TMPDIR": str(job_dir.parent)}
    left = subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment, check=False)
    assert left.returncode == 0, left.stderr
    return int(left.stdout.split()[-1])


def is_gone(process: int) -> bool:
    try:
        status = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return status == "Z"  # a container may have nobody to take note of it


def wait_until(condition, seconds: float = 180.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_swept(folder: Path) -> bool:
    """Whether nothing is left there of what two Blenders share."""
    return not list(folder.glob("diffsynth-*"))


@pytest.fixture
def follower():
    """A Blender with the add-on, into which files are loaded."""
    addon.register()
    yield
    addon.unregister()


def test_quitting_during_the_render_leaves_a_blender_behind(follower, tmp_path):
    """It renders to the end and stylises; the file that is opened meanwhile follows both, and gets its strip."""
    job_dir = tmp_path / "job"
    left = quit_in_the_middle(job_dir, "DETACH", tmp_path / "shot.blend")
    assert is_detached(job_dir) and not (job_dir / "job.json").exists() and not is_gone(left)
    scene = reopen(tmp_path)
    assert states(scene) == ["RUNNING"], "as it was when it was saved"
    job_attach.reconnect()
    work = pump.current()
    run_until(work, lambda: work.progress.text.startswith("Rendering"))
    assert not bpy.ops.diffsynth.pause.poll() and bpy.ops.diffsynth.cancel.poll()
    run_until(work, is_denoising(work, 1))
    assert bpy.ops.diffsynth.pause.poll()
    run_to_end(work)
    assert (work.state, states(scene)) == ("done", ["DONE"]), work.message
    assert load_job(job_dir).settings == SETTINGS and len(hashes(job_dir)) == 6
    assert strip.find_edit_scene(scene) is not None
    wait_until(lambda: is_gone(left), 20)
    assert is_left_alone(job_dir) and not is_detached(job_dir) and is_swept(tmp_path)


def test_a_render_left_alone_is_cancelled_from_the_file(follower, tmp_path):
    """Whoever opens the file again can stop it, and start it anew."""
    job_dir = tmp_path / "job"
    left = quit_in_the_middle(job_dir, "DETACH", tmp_path / "shot.blend")
    scene = reopen(tmp_path)
    job_attach.reconnect()
    work = pump.current()
    run_until(work, lambda: work.progress.text.startswith("Rendering"))
    pump.cancel()
    run_to_end(work, 60)
    assert states(scene) == ["CANCELLED"]
    wait_until(lambda: is_gone(left), 20)
    assert resumable(scene) is not None and not (job_dir / "job.json").exists()


@pytest.mark.parametrize("killed", [False, True], ids=["quit", "killed"])
def test_a_render_ends_with_its_blender(tmp_path, killed):
    """Unless it was to go on: also where nobody could tell it, and nothing of it stays."""
    left = quit_in_the_middle(tmp_path / "job", "KILL" if killed else "END", tmp_path / "shot.blend")
    wait_until(lambda: is_gone(left) and not is_detached(tmp_path / "job"), 20)
    assert not (tmp_path / "job" / "job.json").exists()
    assert is_swept(tmp_path)


def test_who_leaves_at_the_end_of_the_render_leaves_a_worker(scene, tmp_path):
    """However late the render is left: it is not done twice, and the job goes on once."""
    scene.diffsynth.jobs.on_close = "DETACH"
    record = new_record(scene.name, tmp_path / "job", range(4, 6), SETTINGS)
    work = begin(scene, record)
    child = work._preparations._current
    wait_until(lambda: child._process.poll() is not None)  # and nobody has looked
    assert work.detach() and work.state == "detached"
    assert is_detached(tmp_path / "job")
    wait_until(lambda: not is_detached(tmp_path / "job"))
    assert len(hashes(tmp_path / "job")) == 2
