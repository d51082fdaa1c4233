"""A strip made steady from the sequencer, by the real worker: its frames, its place, its guides, its end."""

from __future__ import annotations

import itertools
import json
import os
import time
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest

from diffsynth_blender.host import addon, api, compat
from diffsynth_blender.host.command import command
from diffsynth_blender.host.deflicker.deflickering import Deflickering
from diffsynth_blender.host.jobs import pump
from diffsynth_blender.host.result import movie, strip
from diffsynth_blender.host.result.sequencer_panel import DIFFSYNTH_PT_deflicker
from diffsynth_blender.protocol import BadJobError, FrameDone, JobCancelledError, JobProgress, output_path
from tests.host.shots import SETTINGS, make_shot
from tests.host.test_strip import HEIGHT, WIDTH, read_png, render_still, write_png

FRAMES = range(5, 11)


@pytest.fixture(autouse=True)
def worker_python():
    if not os.environ.get("DIFFSYNTH_WORKER_PYTHON"):
        pytest.fail("DIFFSYNTH_WORKER_PYTHON must name the worker's interpreter; `make test` sets it")


def look(frame: int) -> np.ndarray:
    """Smooth waves that travel one pixel a frame, 8-bit (H, W, 3)."""
    y, x = np.mgrid[:HEIGHT, : 4 * WIDTH]
    waves = [np.sin((x * kx + y * ky) * 0.35 + phase) for kx, ky, phase in ((1, 0.4, 0), (0.5, 1, 2), (0.8, -0.7, 4))]
    picture = 128 + 60 * np.stack(waves, -1)
    return np.rint(picture[:, frame : frame + WIDTH]).astype(np.uint8)


def flickering(frame: int) -> np.ndarray:
    """The same with a colour cast of the frame's own."""
    cast = np.random.default_rng(frame).normal(0, 12, 3)
    return np.clip(np.rint(look(frame) + cast), 0, 255).astype(np.uint8)


def write_frames(folder: Path, picture, frames=FRAMES, pattern="take2_{:03d}.png") -> list[Path]:
    """Frames under names whose numbers are not those of the scene."""
    paths = [folder / pattern.format(frame + 100) for frame in frames]
    for path, frame in zip(paths, frames, strict=True):
        write_png(path, picture(frame))
    return paths


@pytest.fixture
def scene(tmp_path) -> bpy.types.Scene:
    """A sequencer with a flickering strip, in the least favourable colour settings."""
    addon.register()
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = WIDTH, HEIGHT
    scene.view_settings.view_transform = "AgX"
    scene.diffsynth_deflicker.output_folder = str(tmp_path / "out")
    scene.diffsynth_deflicker.mode, scene.diffsynth_deflicker.window = "FAST", 3
    shown = strip.new_image_strip(scene, "Take", write_frames(tmp_path / "take", flickering), FRAMES[0], 2)
    activate(scene, shown)
    yield scene
    addon.unregister()


def activate(scene: bpy.types.Scene, shown: bpy.types.Strip) -> None:
    """Select a strip alone and make it the active one, in a sequencer that shows the scene."""
    if hasattr(bpy.context.workspace, "sequencer_scene"):
        bpy.context.workspace.sequencer_scene = scene
    for other in strip.strips_of(scene):
        other.select = other == shown
    scene.sequence_editor.active_strip = shown


def press(scene: bpy.types.Scene) -> bpy.types.ImageStrip:
    """Press the button, in the background where it waits, and return the strip it made."""
    before = {shown.name for shown in strip.strips_of(scene)}
    assert bpy.ops.diffsynth.deflicker() == {"FINISHED"}
    (new,) = [shown for shown in strip.strips_of(scene) if shown.name not in before]
    return new


def images(shown: bpy.types.ImageStrip) -> dict[int, np.ndarray]:
    """The images of a strip by scene frame."""
    folder = Path(bpy.path.abspath(shown.directory))
    start = int(shown.frame_final_start)
    return {start + place: read_png(folder / element.filename) for place, element in enumerate(shown.elements)}


def unsteadiness(pictures: dict[int, np.ndarray]) -> float:
    """Mean squared difference to the look without flicker."""
    return float(np.mean([(pictures[frame] - look(frame).astype(float)) ** 2 for frame in FRAMES]))


def test_image_strip(scene, tmp_path):
    """Straight from its files, renumbered; the result lies above it, in its place, and shows its very pixels."""
    take = strip.strips_of(scene)["Take"]
    take.transform.offset_x, take.blend_alpha, take.crop.min_x = 3.0, 0.75, 2
    steady = press(scene)
    assert (steady.name, steady.channel) == ("Take Steady", 3)
    assert (steady.frame_final_start, steady.frame_final_end) == (5, 11)
    assert (steady.transform.offset_x, steady.blend_alpha, steady.crop.min_x) == (3.0, 0.75, 2)
    style = tmp_path / "out" / "Scene-Take" / "style"
    assert [path.name for path in sorted(style.iterdir())] == [f"{frame:04d}.png" for frame in FRAMES]
    assert np.array_equal(read_png(style / "0007.png"), flickering(7))
    assert unsteadiness(images(steady)) < 0.85 * unsteadiness({frame: flickering(frame) for frame in FRAMES})
    assert scene.view_settings.view_transform == "AgX" and len(bpy.data.scenes) == 1
    assert bpy.ops.diffsynth.deflicker() == {"FINISHED"}
    assert len(strip.strips_of(scene)) == 2, "the same strip again renews its result"


def test_rendered_strip_is_bit_exact(scene, tmp_path):
    """A meta strip is rendered, that strip alone, in its own colours; other strips and the scene stay as they are."""
    paths = write_frames(tmp_path / "white", lambda _: np.full((HEIGHT, WIDTH, 3), 255, np.uint8))
    white = strip.new_image_strip(scene, "White", paths, FRAMES[0], 9)
    window = bpy.context.window
    area = window.screen.areas[0]
    area.type = "SEQUENCE_EDITOR"
    activate(scene, strip.strips_of(scene)["Take"])
    region = next(region for region in area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.sequencer.meta_make()
    meta = scene.sequence_editor.active_strip
    meta.name, meta.channel = "Meta", 7
    steady = press(scene)
    assert steady.channel == 8
    style = tmp_path / "out" / "Scene-Meta" / "style"
    for frame in FRAMES:
        assert np.array_equal(read_png(style / f"{frame:04d}.png"), flickering(frame))
    assert not white.mute and len(bpy.data.scenes) == 1 and bpy.context.scene == scene


def test_movie_and_scene_strips(scene, tmp_path):
    """Both come in as rendered frames of the strip's own range."""
    edit = strip.new_edit_scene("edit")
    strip.show_exactly(edit)
    edit.render.resolution_x, edit.render.resolution_y = WIDTH, HEIGHT
    edit.frame_start, edit.frame_end = 1, 3
    strip.new_image_strip(edit, "Look", write_frames(tmp_path / "look", look), 1, 1)
    path = movie.render_movie(edit, tmp_path / "look.mp4")
    shown = strip.strips_of(scene).new_movie("Movie", str(path), 4, 20, fit_method="ORIGINAL")
    activate(scene, shown)
    steady = press(scene)
    assert (steady.frame_final_start, steady.frame_final_end, steady.channel) == (20, 23, 5)
    assert np.abs(read_png(tmp_path / "out" / "Scene-Movie" / "style" / "0021.png") - look(6).astype(float)).mean() < 12
    inner = strip.strips_of(scene).new_scene("Inner", edit, 9, 30)
    inner.scene_input = "SEQUENCER"
    activate(scene, inner)
    steady = press(scene)
    assert (steady.frame_final_start, steady.frame_final_end) == (30, 33)
    assert np.array_equal(read_png(tmp_path / "out" / "Scene-Inner" / "style" / "0031.png"), look(6))


def test_another_strip_guides(scene, tmp_path):
    """The plain render below the strip shows the motion; it has to reach as far."""
    plain = strip.new_image_strip(scene, "Plain", write_frames(tmp_path / "plain", look), FRAMES[0], 1)
    activate(scene, strip.strips_of(scene)["Take"])
    chosen = scene.diffsynth_deflicker
    chosen.guide, chosen.guide_strip = "OTHER", "Plain"
    steady = press(scene)
    assert unsteadiness(images(steady)) < 0.6 * unsteadiness({frame: flickering(frame) for frame in FRAMES})
    plain.frame_final_end = 9
    with pytest.raises(RuntimeError, match="'Plain' is shown from 5 to 8, 'Take' from 5 to 10"):
        bpy.ops.diffsynth.deflicker()


def test_key_frames(scene, tmp_path):
    """Two painted frames and the shot they were painted over: every frame, the painted ones to the bit."""
    strip.new_image_strip(scene, "Shot", write_frames(tmp_path / "shot", look), FRAMES[0], 1)
    paths = []
    for frame in (6, 9):
        paths.append(tmp_path / "keys" / f"painted {frame}.png")
        write_png(paths[-1], 255 - look(frame))
    keys = strip.new_image_strip(scene, "Keys", paths, 1, 6)
    activate(scene, keys)
    chosen = scene.diffsynth_deflicker
    chosen.mode = "KEYFRAMES"
    assert not bpy.ops.diffsynth.deflicker.poll()
    chosen.guide, chosen.guide_strip = "OTHER", "Shot"
    steady = press(scene)
    assert (steady.frame_final_start, steady.frame_final_end, steady.channel) == (5, 11, 7)
    made = images(steady)
    assert all(np.array_equal(made[frame], 255 - look(frame)) for frame in (6, 9))


def test_captured_shot_guides(scene, tmp_path):
    """Exact passes steady the very frames of the job; frames that do not match are refused."""
    shot = make_shot(width=WIDTH, height=HEIGHT)
    job_dir = api.capture(shot, tmp_path / "job", settings=SETTINGS)
    for frame in (4, 5, 6):
        picture = read_png(job_dir / "source" / f"{frame:04d}.png").astype(float)
        cast = np.random.default_rng(frame).normal(0, 12, 3)
        write_png(output_path(job_dir, frame), np.clip(np.rint(picture + cast), 0, 255).astype(np.uint8))
    styled = strip.new_image_strip(shot, "Styled", [output_path(job_dir, frame) for frame in (4, 5, 6)], 4, 3)
    activate(shot, styled)
    shot.diffsynth_deflicker.guide = "SHOT"
    steady = press(shot)
    assert (steady.frame_final_start, steady.frame_final_end) == (4, 7)
    report = json.loads((tmp_path / "out" / "Scene-Styled" / "result" / "report.json").read_text())
    assert report["temporal"]["warp_error_result"] < report["temporal"]["warp_error_per_frame"]
    styled.frame_start = 40
    with pytest.raises(RuntimeError, match="move the strip to the frames it shows"):
        bpy.ops.diffsynth.deflicker()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda scene, take, path: path.unlink(), "no such file; restore it"),
        (lambda scene, take, path: path.write_bytes(b"no picture"), "not a picture that can be read"),
        (lambda scene, take, path: setattr(scene.diffsynth_deflicker, "output_folder", str(path)), "cannot be written"),
        (lambda scene, take, path: setattr(scene.diffsynth_deflicker, "device", "CUDA"), "'cuda' is not available"),
        (lambda scene, take, path: setattr(scene.diffsynth_deflicker, "guide", "SHOT"), "holds no captured shot"),
    ],
    ids=["lost", "broken", "folder", "device", "shot"],
)
def test_what_goes_wrong_is_told_in_a_line(scene, tmp_path, spoil, words):
    """Whatever it is, the operator reports it; no strip appears."""
    scene.diffsynth.output_folder = str(tmp_path / "jobs")
    spoil(scene, strip.strips_of(scene)["Take"], tmp_path / "take" / "take2_107.png")
    with pytest.raises(RuntimeError, match=words):
        bpy.ops.diffsynth.deflicker()
    assert len(strip.strips_of(scene)) == 1


def test_button_waits_for_what_it_needs(scene, monkeypatch):
    """A strip with frames, a place for the result, a worker, a guide."""
    poll = bpy.ops.diffsynth.deflicker.poll
    assert poll()
    scene.diffsynth_deflicker.guide = "OTHER"
    assert not poll()
    scene.diffsynth_deflicker.guide = "STRIP"
    scene.diffsynth_deflicker.output_folder = "//beside/"
    assert not poll()
    scene.diffsynth_deflicker.output_folder = "/tmp"
    monkeypatch.delenv("DIFFSYNTH_WORKER_PYTHON")
    assert not poll()
    monkeypatch.undo()
    assert poll()
    colour = strip.strips_of(scene).new_effect(
        name="Colour", type="COLOR", channel=9, frame_start=1,
        **({"length": 5} if bpy.app.version >= (5, 0, 0) else {"frame_end": 6}),
    )  # fmt: skip
    activate(scene, colour)
    assert not poll()
    scene.sequence_editor.active_strip = None
    assert not poll()


def test_steps_never_wait_and_can_be_cancelled(scene, tmp_path):
    """As the timer drives it: each step returns at once; cancelled, nothing is inserted and nothing runs on."""
    take = strip.strips_of(scene)["Take"]
    work = Deflickering(scene, take)
    pump.start(work)
    assert not bpy.ops.diffsynth.deflicker.poll() and bpy.ops.diffsynth.cancel.poll()
    longest, texts = 0.0, set()
    while work.state == "running":
        before = time.perf_counter()
        work.tick()
        longest = max(longest, time.perf_counter() - before)
        texts.add(work.progress.text)
        if "worker" in work.progress.text:
            break
        time.sleep(0.01)
    assert longest < 0.2
    bpy.ops.diffsynth.cancel()
    deadline = time.monotonic() + 30
    while work.state == "running" and time.monotonic() < deadline:
        work.tick()
        time.sleep(0.01)
    assert work.state == "cancelled"
    assert len(strip.strips_of(scene)) == 1
    pump.stop("enough")


def test_every_choice_has_a_tooltip(scene):
    """Whatever the mouse rests on explains itself; a script and the panel mean the same by saying nothing."""
    properties = scene.diffsynth_deflicker.bl_rna.properties
    assert [p.identifier for p in properties if not p.description and p.identifier not in {"rna_type", "name"}] == []
    for item in (*properties["mode"].enum_items, *properties["guide"].enum_items):
        assert item.description
    assert bpy.ops.diffsynth.deflicker.get_rna_type().description
    assert (properties["mode"].default, properties["window"].default) == ("ACCURATE", 7)


class Layout:
    """Blender's layout, which there is none of without a window: takes what exists, and remembers it."""

    def __init__(self) -> None:
        self.drawn: set[str] = set()

    def column(self, **_: object) -> Layout:
        """A part of it is it."""
        return self

    row = column

    def prop(self, owner: bpy.types.bpy_struct, name: str, **_: object) -> None:
        """A property that exists."""
        assert name in owner.bl_rna.properties
        self.drawn.add(name)

    def prop_search(self, owner: bpy.types.bpy_struct, name: str, source: bpy.types.bpy_struct, of: str) -> None:
        """A property that is looked up in a collection that exists."""
        assert of in source.bl_rna.properties
        self.prop(owner, name)

    def operator(self, name: str, **options: object) -> None:
        """A button with an icon that exists."""
        assert getattr(bpy.ops.diffsynth, name.split(".")[1]).get_rna_type()
        assert options["icon"] in bpy.types.UILayout.bl_rna.functions["operator"].parameters["icon"].enum_items
        self.drawn.add(name)


def test_panel_is_in_the_sequencers_sidebar(scene):
    """Its own tab, wherever the sequencer shows a scene with strips; drawn with whatever is chosen."""
    panel = DIFFSYNTH_PT_deflicker
    assert (panel.bl_space_type, panel.bl_region_type, panel.bl_category) == ("SEQUENCE_EDITOR", "UI", "DiffSynth")
    assert panel.poll(bpy.context)
    assert compat.sequencer_scene(bpy.context) == scene
    for mode, guide in itertools.product(("FAST", "KEYFRAMES"), ("STRIP", "OTHER", "SHOT")):
        scene.diffsynth_deflicker.mode, scene.diffsynth_deflicker.guide = mode, guide
        layout = Layout()
        panel.draw(SimpleNamespace(layout=layout), bpy.context)
        assert {"mode", "window", "guide", "device", "output_folder", "diffsynth.deflicker"} <= layout.drawn
        assert ("guide_strip" in layout.drawn) == (guide == "OTHER")


def test_from_a_script_and_the_command_line(scene, tmp_path, capfd):
    """Folders in, folder out: the same from Python and headless; errors are one line with the worker's exit code."""
    style = tmp_path / "numbered"
    for frame in FRAMES:
        write_png(style / f"{frame}.png", flickering(frame))
    events = []
    api.deflicker(style, tmp_path / "a", guide_dir=style, mode="fast", window=2, on_event=events.append)
    assert [event.frame for event in events if isinstance(event, FrameDone)] == list(FRAMES)
    assert {event.stage for event in events if isinstance(event, JobProgress)} == {"check", "deflicker", "measure"}
    arguments = ["deflicker", "--style", str(style), "--guide", str(style), "--mode", "fast", "--window", "2"]
    assert command.run([*arguments, "--output", str(tmp_path / "b")]) == 0
    assert "steady:" in capfd.readouterr().err
    for frame in FRAMES:
        assert np.array_equal(*(read_png(tmp_path / name / f"{frame:04d}.png") for name in "ab"))
    assert command.run([*arguments, "--output", str(style)]) == 2
    error = capfd.readouterr().err
    assert "is the style folder, which is never written to" in error and "Traceback" not in error
    with pytest.raises(BadJobError, match="what shows the motion"):
        api.deflicker(style, tmp_path / "c")
    with pytest.raises(JobCancelledError):
        api.deflicker(style, tmp_path / "d", guide_dir=style, is_cancelled=lambda: True)


def test_result_shows_its_very_pixels(scene, tmp_path):
    """In a scene that shows frames exactly, what Blender renders is what the worker wrote."""
    strip.show_exactly(scene)
    steady = press(scene)
    assert np.array_equal(render_still(scene, 7, tmp_path / "shown.png"), images(steady)[7])
