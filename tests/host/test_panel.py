"""What the panel asks for, the button, and the stepwise stylisation behind it. What is in it: test_panel_*.py."""

import os
import time

import bpy
import pytest

from diffsynth_blender.host import addon
from diffsynth_blender.host.capture.checks import CaptureError
from diffsynth_blender.host.capture.child import ChildCapture
from diffsynth_blender.host.jobs import pump
from diffsynth_blender.host.jobs.stylisation import Stylisation
from diffsynth_blender.host.jobs.work import STAGE_NAMES, Progress
from diffsynth_blender.host.result import show, strip
from diffsynth_blender.host.shot import properties
from diffsynth_blender.protocol import STAGES, BadJobError, Settings, load_job, output_path
from tests.host.shots import make_shot
from tests.host.stand_in_worker import use_stand_in_worker
from tests.host.test_command import source_times


@pytest.fixture
def scene(tmp_path, monkeypatch):
    """A small shot in a Blender that has the add-on and a worker."""
    use_stand_in_worker(tmp_path, monkeypatch)
    addon.register()
    shot = make_shot(width=32, height=24)
    yield shot
    addon.unregister()


def start(scene: bpy.types.Scene, job_dir, prompt: str = "clay", **options: object) -> Stylisation:
    frames = range(scene.frame_start, scene.frame_end + 1)
    return Stylisation(scene, job_dir, frames, Settings(prompt=prompt), **options)


def run_until(stylisation: Stylisation, condition, seconds: float = 60.0) -> list[Progress]:
    """Tick as the timer does, and return every progress shown."""
    shown = []
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, stylisation.progress
        stylisation.tick()
        if not shown or stylisation.progress != shown[-1]:
            shown.append(stylisation.progress)
        time.sleep(0.01)
    return shown


def is_over(stylisation: Stylisation):
    return lambda: stylisation.state != "running"


def test_every_stage_has_a_name():
    """Whatever the worker is at, the panel has words for it."""
    assert set(STAGE_NAMES) == set(STAGES)


def test_range_is_the_scenes_or_ones_own(scene):
    """Unless told otherwise, the shot is what the scene would render."""
    assert properties.frame_range(scene) == (4, 6, 1)
    chosen = scene.diffsynth
    chosen.use_own_range, chosen.frame_start, chosen.frame_end, chosen.frame_step = True, 2, 8, 3
    assert properties.frame_range(scene) == (2, 8, 3)


def test_output_beside_an_unsaved_file_is_refused(scene, tmp_path):
    """There is no such place yet, and the message says what to do."""
    with pytest.raises(BadJobError, match="save it"):
        properties.job_folder(scene)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    assert properties.job_folder(bpy.context.scene) == tmp_path / "stylised" / "Scene"


def test_button_waits_for_what_it_needs(scene, tmp_path):
    """No prompt, no place for the results, no worker: no button."""
    poll = bpy.ops.diffsynth.stylise.poll
    scene.diffsynth.output_folder = str(tmp_path)
    assert not poll()
    scene.diffsynth.prompt = "clay"
    assert poll()
    scene.diffsynth.model = "FOLDER"
    assert not poll()


def test_results_are_not_stylised(scene, tmp_path):
    """In the edit scene the button says where to go."""
    edit_scene = strip.new_edit_scene("edit", scene)
    edit_scene.diffsynth.prompt, edit_scene.diffsynth.output_folder = "clay", str(tmp_path)
    assert not strip.is_edit_scene(scene)
    bpy.context.window.scene = edit_scene
    assert not bpy.ops.diffsynth.stylise.poll()


def test_file_opens_with_the_strip(scene, tmp_path):
    """Saved from the background, the file shows the edit scene in a sequencer."""
    edit_scene = strip.new_edit_scene("edit", scene)
    show.open_with_sequencer(edit_scene)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    window = bpy.context.window_manager.windows[0]
    assert window.scene.name == "edit"
    assert "SEQUENCE_EDITOR" in {area.type for area in window.screen.areas}
    if bpy.app.version >= (5, 0, 0):
        assert window.workspace.sequencer_scene == window.scene


def test_button_does_everything(scene, tmp_path):
    """Pressed in the background, where timers never fire, the button waits for the result."""
    scene.diffsynth.prompt, scene.diffsynth.output_folder = "clay", str(tmp_path / "out")
    assert bpy.ops.diffsynth.stylise() == {"FINISHED"}
    [shown] = strip.strips_of(strip.find_edit_scene(scene))
    assert (shown.frame_final_start, shown.frame_final_end) == (4, 7)


def test_steps_do_everything(scene, tmp_path):
    """Rendering, then the worker's stages, then the strip; each step returns at once."""
    stylisation = start(scene, tmp_path / "job")
    shown = run_until(stylisation, is_over(stylisation))
    assert (stylisation.state, stylisation.message) == ("done", "3 frames in the scene 'Scene Stylised'")
    texts = [progress.text for progress in shown]
    assert any(text.startswith("Rendering frame") for text in texts)
    assert all(0 <= progress.factor <= 1 for progress in shown)
    assert strip.find_edit_scene(scene) is not None


def test_ticks_never_wait_for_the_worker(scene, tmp_path):
    """While the worker computes, a step takes a moment of the interface's time."""
    stylisation = start(scene, tmp_path / "job", "slow")
    run_until(stylisation, lambda: stylisation.progress.text.startswith("Denoising"))
    times = []
    for _ in range(20):
        before = time.perf_counter()
        stylisation.tick()
        times.append(time.perf_counter() - before)
    assert max(times) < 0.05
    stylisation.close("enough")


def test_cancel_while_the_worker_computes(scene, tmp_path):
    """The worker stops at its next step and ends; nothing is inserted."""
    stylisation = start(scene, tmp_path / "job", "slow")
    run_until(stylisation, lambda: stylisation.progress.text.startswith("Denoising"))
    stylisation.cancel()
    run_until(stylisation, is_over(stylisation), seconds=10)
    assert stylisation.state == "cancelled"
    assert strip.find_edit_scene(scene) is None


def test_cancel_while_rendering(scene, tmp_path):
    """The capture ends, even while the second Blender is still starting, and nothing is half there."""
    stylisation = start(scene, tmp_path / "job")
    stylisation.tick()
    stylisation.cancel()
    run_until(stylisation, is_over(stylisation), seconds=20)
    assert stylisation.state == "cancelled"
    assert not (tmp_path / "job" / "job.json").exists()


def test_capture_ends_with_the_blender_that_started_it(scene, tmp_path):
    """A render of hours is not left behind by a crash: the pipe to it closes, and it ends."""
    scene.frame_end = 1000
    capture = ChildCapture(scene, tmp_path / "job", range(4, 1001), Settings(prompt="clay"))
    deadline = time.monotonic() + 60
    while capture.tick().renders_done == 0:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    capture._process.stdin.close()
    assert capture._process.wait(timeout=20) == 130
    capture.close()


@pytest.mark.parametrize(("prompt", "words"), [("no memory", "too little memory"), ("crash", "the worker process")])
def test_failure_is_told_in_a_line(scene, tmp_path, prompt, words):
    """Whatever the worker dies of, the panel has a sentence for it."""
    stylisation = start(scene, tmp_path / "job", prompt)
    run_until(stylisation, is_over(stylisation))
    assert stylisation.state == "failed"
    assert words in stylisation.message
    assert "\n" not in stylisation.message


def test_refused_scene_starts_nothing(scene, tmp_path):
    """A scene that cannot be captured is refused before anything runs."""
    scene.render.use_border = True
    with pytest.raises(CaptureError, match="Render Region"):
        start(scene, tmp_path / "job")


def test_reused_frames_are_not_rendered(scene, tmp_path):
    """Another prompt on the frames of the last run."""
    first = start(scene, tmp_path / "job")
    run_until(first, is_over(first))
    times = source_times(tmp_path / "job")
    second = start(scene, tmp_path / "job", "gold", reuse_capture=True)
    run_until(second, is_over(second))
    assert second.state == "done"
    assert source_times(tmp_path / "job") == times
    assert load_job(tmp_path / "job").settings.prompt == "gold"
    assert output_path(tmp_path / "job", 4).is_file()


def test_loading_a_file_ends_what_runs(scene, tmp_path):
    """The worker of a shot that is gone is not left behind."""
    stylisation = start(scene, tmp_path / "job", "slow")
    pump.start(stylisation)
    run_until(stylisation, lambda: stylisation.progress.text.startswith("Denoising"))
    with pytest.raises(RuntimeError, match="under way"):
        pump.start(stylisation)
    process_id = int((tmp_path / "job" / "worker.pid").read_text())
    bpy.ops.wm.read_homefile(use_empty=True)
    assert stylisation.state == "cancelled"
    with pytest.raises(ProcessLookupError):
        os.kill(process_id, 0)
    assert pump.current() is None
    assert not pump.is_running()
