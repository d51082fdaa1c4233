"""The command line: the whole way without an interface, exit codes, one-line errors, and going on where it stopped."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest

from diffsynth_blender.host import addon
from diffsynth_blender.host.command import command
from diffsynth_blender.host.result import strip
from diffsynth_blender.protocol import Reference, Region, Settings, load_job, output_path
from diffsynth_blender.protocol.looks import apply_look
from tests.host.shots import make_shot
from tests.host.stand_in_worker import use_stand_in_worker
from tests.host.test_strip import read_png


@pytest.fixture
def shot(tmp_path, monkeypatch) -> bpy.types.Scene:
    use_stand_in_worker(tmp_path, monkeypatch)
    return make_shot(width=32, height=24)


@pytest.fixture
def registered():
    """The add-on as a script would have it; away again before the interpreter ends."""
    addon.register()
    yield
    addon.unregister()


def source_times(job_dir: Path) -> list[int]:
    return [path.stat().st_mtime_ns for path in sorted((job_dir / "source").iterdir())]


def test_run_does_everything(shot, tmp_path, capfd):
    """Job folder, results, strip, saved file, movie; the open file keeps its strip too."""
    job_dir = tmp_path / "job"
    choices = ["--prompt", "clay", "--style-strength", "0.75", "--seed", "7", "--frames", "4-5"]
    code = command.run(["run", *choices, "--movie", "--output", str(job_dir)])
    assert code == 0, capfd.readouterr().err
    job = load_job(job_dir)
    assert job.shot.frames == (4, 5)
    assert (job.settings.prompt, job.settings.strength, job.settings.seed) == ("clay", 0.75, 7)
    assert strip.find_edit_scene(shot) is not None
    assert (job_dir / "result.mp4").stat().st_size > 0
    bpy.ops.wm.open_mainfile(filepath=str(job_dir / "Scene.blend"))
    edit_scene = strip.find_edit_scene(bpy.data.scenes["Scene"])
    [shown] = strip.strips_of(edit_scene)
    assert shown.directory == "//output/"
    assert [element.filename for element in shown.elements] == ["0004.png", "0005.png"]


def test_same_command_again_goes_on(shot, tmp_path, capfd):
    """Rendered and stylised frames are not made again; a lost result is."""
    job_dir = tmp_path / "job"
    arguments = ["run", "--prompt", "clay", "--output", str(job_dir), "--no-save"]
    assert command.run(arguments) == 0
    times = source_times(job_dir)
    lost, kept = output_path(job_dir, 5), output_path(job_dir, 6)
    kept_time = kept.stat().st_mtime_ns
    lost.unlink()
    assert command.run(arguments) == 0
    assert source_times(job_dir) == times
    assert lost.is_file()
    assert kept.stat().st_mtime_ns == kept_time
    assert "nothing is rendered again" in capfd.readouterr().err


def test_another_prompt_keeps_the_render(shot, tmp_path):
    """Trying another style costs no render."""
    job_dir = tmp_path / "job"
    assert command.run(["run", "--prompt", "clay", "--output", str(job_dir), "--no-save"]) == 0
    times = source_times(job_dir)
    assert command.run(["run", "--prompt", "gold", "--output", str(job_dir), "--no-save"]) == 0
    assert source_times(job_dir) == times
    assert load_job(job_dir).settings.prompt == "gold"


@pytest.mark.parametrize("saved", [False, True], ids=["camera moved", "file saved anew"])
def test_changed_scene_is_rendered_again(shot, tmp_path, saved):
    """What the frames were rendered from has changed: none of them is kept."""
    job_dir = tmp_path / "job"
    if saved:
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    arguments = ["run", "--prompt", "clay", "--output", str(job_dir), "--no-save"]
    assert command.run(arguments) == 0
    before = read_png(job_dir / "source" / "0004.png")
    if saved:
        bpy.data.materials["Checkered"].node_tree.nodes["Checker Texture"].inputs["Scale"].default_value = 2.0
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    else:
        bpy.context.scene.camera.data.lens = 80
    assert command.run(arguments) == 0
    assert not np.array_equal(read_png(job_dir / "source" / "0004.png"), before)


def test_scene_settings_are_the_defaults(shot, registered, tmp_path):
    """What the artist chose in the panel is what the farm computes."""
    chosen = bpy.context.scene.diffsynth
    chosen.prompt, chosen.seed, chosen.deflicker.window = "watercolour", 3, 2
    assert command.run(["export-job", "--output", str(tmp_path / "job"), "--frames", "5"]) == 0
    settings = load_job(tmp_path / "job").settings
    assert (settings.prompt, settings.seed, settings.deflicker.window) == ("watercolour", 3, 2)
    assert settings.strength == Settings(prompt="").strength


def test_a_look_and_what_it_needs(shot, tmp_path, capfd):
    """--look sets what suits it, other options count more; a look without its objects is refused before the render."""
    arguments = ["export-job", "--prompt", "silk", "--output", str(tmp_path / "job"), "--look", "fashion"]
    assert command.run(arguments) == 2
    assert "needs the objects to restyle" in capfd.readouterr().err
    assert not (tmp_path / "job").exists()
    chosen = ["--objects", "Cube", "Floor", "--objects-prompt", "gold", "--steps", "9", "--window", "1"]
    chosen += ["--set", "noise.kind=surface", "--set", "deflicker.strength=[1, 0.5]"]
    assert command.run([*arguments, *chosen, "--frames", "5"]) == 0
    settings = load_job(tmp_path / "job").settings
    assert settings.regions == (Region(("Cube", "Floor"), "gold"),) and settings.keep_rest
    assert (settings.steps, settings.deflicker.window, settings.deflicker.skip_last) == (9, 1, 1)
    assert settings.noise.kind == "surface" and settings.deflicker.strength == (1.0, 0.5)


def test_a_reference_picture(shot, tmp_path):
    """--reference is an absolute path in the job, whatever folder the command runs in."""
    arguments = ["--prompt", "oil", "--look", "image", "--reference", str(tmp_path / "look.png"), "--frames", "5"]
    assert command.run(["export-job", "--output", str(tmp_path / "job"), *arguments]) == 0
    settings = load_job(tmp_path / "job").settings
    assert settings == apply_look(replace(settings, strength=0.9), "image")
    assert settings.reference == Reference(str(tmp_path / "look.png"))


def test_export_resume_status(shot, tmp_path, capfd):
    """A job can be made here and run there, in parts."""
    job_dir = tmp_path / "job"
    assert command.run(["export-job", "--prompt", "clay", "--output", str(job_dir)]) == 0
    assert not (job_dir / "output").exists()
    assert command.run(["status", str(job_dir)]) == 0
    assert "finished: 0 of 3 frames" in capfd.readouterr().out
    assert command.run(["resume", str(job_dir)]) == 0
    assert command.run(["status", str(job_dir)]) == 0
    assert "finished: 3 of 3 frames" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["run", "--prompt", "clay"], 2, "--output"),
        (["run", "--output", "OUT", "--prompt", " "], 2, "the prompt is empty"),
        (["run", "--output", "OUT", "--prompt", "clay", "--frames", "9-4"], 2, "write 4-9"),
        (["run", "--output", "OUT", "--prompt", "clay", "--frames", "x"], 2, "is no frame range"),
        (["run", "--output", "OUT", "--prompt", "clay", "--scene", "Nope"], 2, "this file has 'Scene'"),
        (["run", "--output", "OUT", "--prompt", "clay", "--style-strength", "2"], 2, "settings.strength"),
        (["run", "--output", "OUT", "--prompt", "clay", "--model", "OUT"], 3, "model_index.json"),
        (["run", "--output", "OUT", "--prompt", "clay", "--worker-python", "OUT"], 3, "no such interpreter"),
        (["run", "--output", "OUT", "--prompt", "no memory"], 4, "too little memory"),
        (["run", "--output", "OUT", "--prompt", "crash"], 1, "the worker process ended"),
        (["resume", "OUT"], 2, "job.json: no such file"),
        (["status", "OUT"], 2, "job.json: no such file"),
        (["stylize"], 2, "invalid choice"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_errors(shot, tmp_path, capfd, arguments, code, words):
    """The exit code says what kind of thing is wrong, one line says which and what to do."""
    arguments = [str(tmp_path / "job") if argument == "OUT" else argument for argument in arguments]
    assert command.run(arguments) == code
    error = capfd.readouterr().err
    assert words in error
    assert "Traceback" not in error


def test_nothing_is_rendered_for_a_worker_that_is_not_there(shot, monkeypatch, tmp_path, capfd):
    """What is certain to fail later fails before the render."""
    monkeypatch.delenv("DIFFSYNTH_WORKER_PYTHON", raising=False)
    assert command.run(["run", "--prompt", "clay", "--output", str(tmp_path / "job")]) == 3
    assert "Worker Python" in capfd.readouterr().err
    assert not (tmp_path / "job").exists()


def test_cancel(shot, tmp_path, capfd):
    """Ctrl-C stops the job politely with exit code 130, and the signal's handler is as before."""
    import signal
    import threading

    before = signal.getsignal(signal.SIGINT)
    job_dir = tmp_path / "job"
    assert command.run(["export-job", "--prompt", "slow", "--output", str(job_dir)]) == 0
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
    assert command.run(["resume", str(job_dir)]) == 130
    assert signal.getsignal(signal.SIGINT) is before


def test_somebody_elses_job_is_not_replaced(shot, tmp_path, capfd):
    """A folder that holds a job of another scene is refused, unless told otherwise."""
    job_dir = tmp_path / "job"
    arguments = ["export-job", "--prompt", "clay", "--output", str(job_dir)]
    assert command.run(arguments) == 0
    file = job_dir / "job.json"
    value = json.loads(file.read_text())
    value["shot"]["name"] = "another"
    file.write_text(json.dumps(value))
    assert command.run(arguments) == 2
    assert "already holds a job" in capfd.readouterr().err
    assert command.run([*arguments, "--recapture"]) == 0
    assert load_job(job_dir).shot.name == "Scene"


def test_scene_that_is_not_shown(shot, tmp_path):
    """Another scene in the window, at another frame: the frames are the same."""
    export = ["export-job", "--prompt", "clay", "--scene", "Scene", "--output"]
    assert command.run([*export, str(tmp_path / "shown")]) == 0
    bpy.context.window.scene = bpy.data.scenes.new("other")
    assert command.run([*export, str(tmp_path / "hidden")]) == 0
    for frame in (4, 5, 6):
        pictures = [read_png(tmp_path / name / "source" / f"{frame:04d}.png") for name in ("shown", "hidden")]
        np.testing.assert_array_equal(*pictures)


def test_preview(shot, registered, tmp_path, capfd):
    """One frame, or four that begin with it, in a folder beside the job's; the open file stays as it is."""
    chosen = bpy.context.scene.diffsynth
    chosen.prompt, chosen.output_folder = "clay", str(tmp_path / "jobs")
    shot.frame_end = 9
    preview = tmp_path / "jobs" / "Scene Preview"
    shot.frame_set(5)
    assert command.run(["preview"]) == 0, capfd.readouterr().err
    assert load_job(preview).shot.frames == (5,) and output_path(preview, 5).is_file()
    assert command.run(["preview", "--frame", "8", "--four", "--seed", "3"]) == 0
    assert load_job(preview).shot.frames == (6, 7, 8, 9)
    assert load_job(preview).settings.seed == 3
    assert strip.find_edit_scene(shot) is None and sorted(path.name for path in (tmp_path / "jobs").iterdir()) == [
        "Scene Preview"
    ]


def test_a_flag_overrides_a_key_frame(shot, registered, tmp_path):
    """What the artist keyframed is computed as such; a value on the command line holds for all frames."""
    scene = bpy.context.scene
    scene.diffsynth.prompt = "clay"
    for frame, value in ((4, 2.0), (6, 4.0)):
        scene.diffsynth.guidance_scale = value
        scene.diffsynth.keyframe_insert("guidance_scale", frame=frame)
    job_dir = tmp_path / "job"
    arguments = ["export-job", "--output", str(job_dir)]
    assert command.run(arguments) == 0
    assert [animation.key for animation in load_job(job_dir).settings.animation] == ["guidance_scale"]
    for given in (["--guidance", "3"], ["--set", "guidance_scale=3"]):
        assert command.run([*arguments, *given]) == 0
        settings = load_job(job_dir).settings
        assert (settings.guidance_scale, settings.animation) == (3.0, ())


def test_a_device_that_is_not_there_is_told_before_the_render(shot, tmp_path, capfd):
    """The worker's Python is asked first: here it is one without torch, so it has no graphics card either."""
    chosen = ["--prompt", "clay", "--device", "cuda", "--worker-python", sys.executable]
    assert command.run(["run", *chosen, "--output", str(tmp_path / "job")]) == 3
    error = capfd.readouterr().err
    assert "finds no cuda device" in error and "Traceback" not in error
    assert not (tmp_path / "job").exists()
