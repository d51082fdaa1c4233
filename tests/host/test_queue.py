"""The queue and the history, with a worker whose jobs need no model: what runs after what, and what the file knows."""

import time
from types import SimpleNamespace

import bpy
import pytest

from diffsynth_blender.host import addon, api
from diffsynth_blender.host.jobs import history, pump
from diffsynth_blender.host.jobs import queue as job_queue
from diffsynth_blender.host.jobs.folders import free_folder, preview_folder
from diffsynth_blender.host.jobs.panel import DIFFSYNTH_UL_jobs
from diffsynth_blender.host.jobs.properties import STATES
from diffsynth_blender.host.jobs.record import JobRecord, settings_of
from diffsynth_blender.host.result.sequencer import strips_of
from diffsynth_blender.host.shot.properties import job_folder
from diffsynth_blender.host.source.source import PassesSource, RenderSource, StripSource, read_source, write_source
from diffsynth_blender.protocol import BadJobError, Settings, load_job, output_path
from tests.host import sources
from tests.host.running import states, take_shot
from tests.host.shots import make_shot
from tests.host.stand_in_worker import use_stand_in_worker


@pytest.fixture(scope="module")
def captured(tmp_path_factory):
    """A captured shot."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = make_shot(width=32, height=24)
    return api.capture(scene, tmp_path_factory.mktemp("captured") / "job", settings=Settings(prompt="clay"))


@pytest.fixture
def scene(captured, tmp_path, monkeypatch):
    """The shot's scene in a saved file, its frames rendered already, in a Blender that has the add-on and a worker."""
    use_stand_in_worker(tmp_path, monkeypatch)
    addon.register()
    scene = make_shot(width=32, height=24)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    scene = bpy.context.scene
    scene.diffsynth.prompt, scene.diffsynth.reuse_capture = "clay", True
    take_shot(captured, job_folder(scene), Settings(prompt="clay"))
    yield scene
    addon.unregister()


def add(scene, prompt: str) -> JobRecord:
    scene.diffsynth.prompt = prompt
    assert bpy.ops.diffsynth.queue_add() == {"FINISHED"}
    return history.active(scene)


def drive(condition, seconds: float = 60.0) -> None:
    """Tick as the timer does, from work to work."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, pump.current() and pump.current().progress
        pump._tick()
        time.sleep(0.01)


def is_idle() -> bool:
    return not pump.is_running() and not job_queue.is_on()


def test_jobs_run_one_after_the_other_each_in_its_folder(scene):
    """With the settings of the moment they were added, the first one first."""
    asked = [add(scene, prompt) for prompt in ("clay", "gold", "wood")]
    assert states(scene) == ["WAITING"] * 3 and pump.current() is None
    assert len({record.job_dir for record in asked}) == 3
    assert [record.job_dir.name for record in asked] == ["Scene 2", "Scene 3", "Scene 4"]
    scene.diffsynth.prompt = "something else"
    assert bpy.ops.diffsynth.queue_start() == {"FINISHED"}
    drive(lambda: history.find(scene, asked[1].key).state == "RUNNING")
    assert [history.find(scene, record.key).state for record in asked] == ["DONE", "RUNNING", "WAITING"]
    drive(is_idle)
    assert states(scene) == ["DONE"] * 3
    for record, prompt in zip(asked, ("clay", "gold", "wood"), strict=True):
        assert load_job(record.job_dir).settings.prompt == prompt
        assert output_path(record.job_dir, 4).is_file()
        assert "3 frames" in history.find(scene, record.key).message


def test_waiting_jobs_change_places(scene):
    """The marked job goes before or after another one; what does not wait keeps out of it."""
    asked = [add(scene, prompt) for prompt in ("clay", "gold", "wood")]
    jobs = scene.diffsynth.jobs

    def order() -> list[str]:
        return [settings_of(record).prompt for _, record in job_queue.waiting()]

    def mark(record: JobRecord) -> None:
        jobs.active = next(place for place, item in enumerate(jobs.list) if item.key == record.key)

    mark(asked[2])
    assert bpy.ops.diffsynth.queue_move(direction="UP") == {"FINISHED"} and order() == ["clay", "wood", "gold"]
    drawn = SimpleNamespace(filter_name="", bitflag_filter_item=1)  # lists cannot be made by scripts
    assert DIFFSYNTH_UL_jobs.filter_items(drawn, bpy.context, jobs, "list") == ([], [1, 2, 0])
    bpy.ops.diffsynth.queue_move(direction="UP")
    bpy.ops.diffsynth.queue_move(direction="UP")  # it is the first
    assert order() == ["wood", "clay", "gold"]
    mark(asked[0])
    bpy.ops.diffsynth.queue_move(direction="DOWN")
    assert order() == ["wood", "gold", "clay"]
    bpy.ops.diffsynth.queue_start()
    drive(lambda: not history.find(scene, asked[2].key).state == "RUNNING")
    mark(asked[2])
    assert not bpy.ops.diffsynth.queue_move.poll()
    drive(is_idle)
    times = [output_path(history.find(scene, record.key).job_dir, 6).stat().st_mtime_ns for record in asked]
    assert times[2] < times[1] < times[0]


def test_jobs_share_what_was_rendered(scene):
    """With Reuse Rendered Frames a job in a folder of its own takes the frames of the scene's folder, by links."""
    record = add(scene, "gold")
    bpy.ops.diffsynth.queue_start()
    drive(is_idle)
    assert states(scene) == ["DONE"]
    shot = load_job(record.job_dir).shot
    for frame in shot.frames:
        assert shot.passes_path(record.job_dir, frame).samefile(shot.passes_path(job_folder(scene), frame))


def test_a_job_keeps_its_source(scene, tmp_path):
    """Run again, it takes the frames it took, whatever the scene names by now; what is gone is said."""
    for control in ("depth", "normal"):
        getattr(scene.diffsynth.controls, control).use = False
    pictures = sources.render_pictures(scene, tmp_path / "plate")
    scene.render.filepath = ""
    sources.add_image_strip(scene, pictures, 3, start=4)
    source = scene.diffsynth.source
    source.kind, source.strip = "STRIP", "Plate"
    record = add(scene, "gold")
    source.kind = "RENDER"
    bpy.ops.diffsynth.queue_start()
    drive(is_idle)
    assert states(scene) == ["DONE"] and load_job(record.job_dir).shot.passes is None
    source.kind, source.strip = "STRIP", "Another"
    assert bpy.ops.diffsynth.run_again() == {"FINISHED"}
    drive(is_idle)
    assert states(scene) == ["DONE"] and load_job(record.job_dir).shot.passes is None
    strips_of(scene)["Plate"].name = "Elsewhere"
    with pytest.raises(RuntimeError, match="strip 'Plate' is not there any more"):
        scene.diffsynth.reuse_capture = False
        bpy.ops.diffsynth.run_again()


def test_sources_are_read_as_they_were_written(tmp_path):
    """Every kind; and what a newer version may have written is refused in a sentence."""
    passes = PassesSource(tmp_path / "a ü_0001.exr", "Layer", tmp_path / "b_0001.png")
    for source in (RenderSource(), passes, PassesSource(tmp_path / "x.exr"), StripSource('"Plate" {1}')):
        assert read_source(write_source(source)) == source
    for text in ("", "{}", "[]", '{"kind": "camera"}', '{"kind": "strip", "name": "x"}'):
        with pytest.raises(BadJobError, match="cannot be read; start the job anew"):
            read_source(text)


def test_a_failure_does_not_keep_the_others_waiting(scene):
    """What fails says why, and the next one runs; also where it is refused before it starts."""
    failing, refused, well = add(scene, "crash"), add(scene, "gold"), add(scene, "wood")
    item = next(item for item in scene.diffsynth.jobs.list if item.key == refused.key)
    item.settings = item.settings.replace('"model": "demo"', '"model": "/nowhere"')
    bpy.ops.diffsynth.queue_start()
    drive(is_idle)
    assert history.find(scene, failing.key).error_kind == "worker_died"
    assert history.find(scene, refused.key).error_kind == "model_missing"
    assert history.find(scene, well.key).state == "DONE"


def test_who_cancels_stops_the_queue(scene):
    """The next job does not take the machine from whoever wanted it back."""
    add(scene, "slow"), add(scene, "gold")
    bpy.ops.diffsynth.queue_start()
    drive(lambda: pump.current().progress.text.startswith("Denoising"))
    assert bpy.ops.diffsynth.cancel() == {"FINISHED"}
    drive(lambda: not pump.is_running())
    pump._tick()
    assert states(scene) == ["WAITING", "CANCELLED"] and is_idle()
    assert bpy.ops.diffsynth.queue_start.poll()


def test_added_while_something_runs_it_follows(scene):
    """Nobody has to press a second button for it."""
    add(scene, "slow")
    bpy.ops.diffsynth.queue_start()
    job_queue.turn_off()
    drive(lambda: pump.current().progress.text.startswith("Denoising"))
    assert not bpy.ops.diffsynth.stylise.poll()
    record = add(scene, "gold")
    assert job_queue.is_on()
    pump.current().close("enough")
    job_queue.turn_on()
    drive(lambda: history.find(scene, record.key).state == "DONE")


def test_the_file_remembers_its_jobs(scene, tmp_path):
    """Saved and opened again: the same jobs with the same settings; those that wait begin when told to."""
    record = add(scene, "gold")
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.read_homefile(use_empty=True)
    assert history.records(bpy.context.scene) == []
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    scene = bpy.context.scene
    assert history.records(scene) == [record] and settings_of(record).prompt == "gold"
    assert pump.current() is None and not job_queue.is_on()
    bpy.ops.diffsynth.queue_start()
    drive(is_idle)
    assert states(scene) == ["DONE"]


def test_an_undo_takes_back_no_job_that_ran(scene):
    """What was done is done: undone in the list, it is entered again."""
    bpy.context.preferences.edit.use_global_undo = True
    bpy.ops.ed.undo_push(message="before")
    record = add(scene, "gold")
    bpy.ops.ed.undo_push(message="added")
    bpy.ops.diffsynth.queue_start()
    bpy.ops.ed.undo_push(message="started")
    drive(lambda: pump.current().state == "running")
    bpy.ops.ed.undo()
    bpy.ops.ed.undo()
    drive(is_idle)
    scene = bpy.context.scene
    assert [history.find(scene, record.key).state] == ["DONE"]


def test_jobs_run_again_and_are_forgotten(scene):
    """Any job of the history runs again with the settings that it had; forgotten, its files stay."""
    add(scene, "gold")
    bpy.ops.diffsynth.queue_start()
    drive(is_idle)
    record = history.active(scene)
    before = output_path(record.job_dir, 5).stat().st_mtime_ns
    output_path(record.job_dir, 5).unlink()
    scene.diffsynth.prompt = "something else"
    assert not bpy.ops.diffsynth.resume.poll()
    assert bpy.ops.diffsynth.run_again() == {"FINISHED"}
    drive(is_idle)
    assert states(scene) == ["DONE"] and load_job(record.job_dir).settings.prompt == "gold"
    assert output_path(record.job_dir, 5).stat().st_mtime_ns > before
    assert bpy.ops.diffsynth.forget_job() == {"FINISHED"}
    assert states(scene) == [] and output_path(record.job_dir, 5).is_file()
    assert not bpy.ops.diffsynth.forget_job.poll() and not bpy.ops.diffsynth.run_again.poll()


def test_a_running_job_is_not_forgotten(scene):
    """Its button says what to do first."""
    add(scene, "slow")
    bpy.ops.diffsynth.queue_start()
    drive(lambda: pump.current().progress.text.startswith("Denoising"))
    assert not bpy.ops.diffsynth.forget_job.poll()
    pump.stop("enough")


def test_the_history_has_an_end(scene):
    """The oldest jobs are forgotten once there are many."""
    for number in range(history.KEPT + 3):
        history.put(scene, JobRecord(f"key{number}", f"job {number}", "/tmp", "{}", 1, 2, 1))
    found = history.records(scene)
    assert len(found) == history.KEPT and found[0].name == f"job {history.KEPT + 2}"


def test_two_scenes_keep_their_jobs_apart(scene):
    """Each scene has its own list and folders, and one queue serves both."""
    other = scene.copy()
    other.name = "Other"
    other.diffsynth.jobs.list.clear()
    first = add(scene, "gold")
    other.diffsynth.prompt = "wood"
    bpy.context.window.scene = other
    second = add(other, "wood")
    assert first.job_dir.parent == second.job_dir.parent and first.job_dir != second.job_dir
    assert [scene_.name for scene_, _ in job_queue.waiting()] == ["Scene", "Other"]


def test_states_of_works_are_states_of_the_list():
    """Whatever a work says of itself, the list has a word for it."""
    states = {identifier for identifier, *_ in STATES}
    assert {"RUNNING", "PAUSED", "DONE", "CANCELLED", "FAILED", "DETACHED"} <= states


def test_folders_are_found_beside_each_other(tmp_path):
    """The next number that is free, on the disk and in the queue; previews have one of their own."""
    assert free_folder(tmp_path / "Shot", []) == tmp_path / "Shot"
    (tmp_path / "Shot").mkdir()
    (tmp_path / "Shot" / "job.json").write_text("{}")
    assert free_folder(tmp_path / "Shot", [tmp_path / "Shot 2"]) == tmp_path / "Shot 3"
    assert preview_folder(tmp_path / "Shot") == tmp_path / "Shot Preview"
