"""What the panels show of jobs in each state, drawn for real, with a worker whose jobs need no model."""

import time

import bpy
import pytest

from diffsynth_blender.host import addon, api
from diffsynth_blender.host.jobs import failure as job_failure
from diffsynth_blender.host.jobs import history, pump
from diffsynth_blender.host.jobs.panel import DIFFSYNTH_PT_jobs
from diffsynth_blender.host.jobs.progress import Progress
from diffsynth_blender.host.jobs.record import new_record
from diffsynth_blender.host.jobs.stylisation import begin
from diffsynth_blender.host.shot.panels import DIFFSYNTH_PT_stylise
from diffsynth_blender.host.shot.properties import job_folder
from diffsynth_blender.protocol import Settings
from tests.host.drawing import draw, drawn_properties
from tests.host.running import take_shot
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
    use_stand_in_worker(tmp_path, monkeypatch)
    addon.register()
    scene = make_shot(width=32, height=24)
    scene.diffsynth.prompt, scene.diffsynth.output_folder = "clay", str(tmp_path / "out")
    scene.diffsynth.reuse_capture = True
    scene.diffsynth.result.placement = "NONE"  # Blender's introspection of layouts trips over text that ends in a quote
    take_shot(captured, job_folder(scene), Settings(prompt="clay"))
    yield scene
    addon.unregister()


def words(panel=DIFFSYNTH_PT_stylise) -> set[str]:
    """Everything that is written on a panel."""
    return {item["draw_string"] for item in draw(panel) if item.get("draw_string")}


def start(scene, prompt: str) -> None:
    record = new_record(scene.name, job_folder(scene), range(4, 7), Settings(prompt=prompt))
    pump.start(begin(scene, record, reuse_capture=True))


def drive(condition) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        pump._tick()
        time.sleep(0.01)


def test_at_rest_there_are_the_buttons_that_begin(scene):
    """Stylise, preview, queue; nothing to hold or stop."""
    shown = words()
    assert {"Stylise", "Preview Frame", "Preview Four"} <= shown
    assert not shown & {"Pause", "Cancel", "Resume"}


def test_what_runs_has_its_stage_its_picture_and_its_buttons(scene):
    """While it runs: how far it is, Pause, Cancel; paused: Resume and Cancel, beside the buttons that begin."""
    start(scene, "slow")
    drive(lambda: pump.current().progress.text.startswith("Denoising"))
    shown = words()
    assert {"Pause", "Cancel"} <= shown and "Stylise" not in shown
    assert pump.current().progress.line == "Denoising 0/3, frame 4"
    pump.pause()
    drive(pump.is_paused)
    assert {"Resume", "Cancel", "Stylise"} <= words()
    assert not bpy.ops.diffsynth.pause.poll() and bpy.ops.diffsynth.resume.poll()
    pump.cancel()
    drive(lambda: not pump.is_paused())


def test_what_failed_has_its_sentence_and_what_helps(scene):
    """Red text and a button for each remedy; gone when the next thing is started."""
    start(scene, "no memory")
    drive(lambda: pump.current().is_over)
    shown = words()
    assert any("too little memory" in text for text in shown)
    assert {"Make Frames Smaller", "Use the Processor", "Open Log", "Copy Report"} <= shown
    assert "Resume" in shown and history.active(scene).state == "FAILED"
    start(scene, "clay")
    assert job_failure.last(scene) is None
    drive(lambda: pump.current().is_over)
    shown = words()
    assert "Stylise" in shown and not shown & {"Open Log", "Resume"}


def test_the_list_has_everything_that_belongs_to_jobs(scene):
    """Queue, history, redo, what happens on closing: every property is shown, every button explains itself."""
    start(scene, "clay")
    drive(lambda: pump.current().is_over)
    shown = drawn_properties(DIFFSYNTH_PT_jobs)
    assert {f"DiffsynthJobs.{name}" for name in ("on_close", "free_memory", "redo_first", "redo_last")} <= shown
    assert {"Resume", "Run Again", "Redo Range"} <= words(DIFFSYNTH_PT_jobs)
    for item in draw(DIFFSYNTH_PT_jobs):
        if "operator" in item:
            group, name = item["operator"].split("(")[0].removeprefix("bpy.ops.").split(".")
            assert getattr(getattr(bpy.ops, group), name).get_rna_type().description


@pytest.mark.parametrize(
    ("seconds", "line"),
    [(None, "Denoising 5/20"), (80.2, "Denoising 5/20, 1:20 left"), (3723, "Denoising 5/20, 1:02:03 left")],
)
def test_the_time_left_is_said_as_people_say_it(seconds, line):
    """Minutes and seconds; hours where there are some; nothing while nobody knows."""
    assert Progress("Denoising 5/20", 0.25, seconds).line == line
