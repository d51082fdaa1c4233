"""A finished job goes where the artist chose, is renewed there, and can be compared with its source."""

from __future__ import annotations

import wave
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest

from diffsynth_blender.host import addon, compat
from diffsynth_blender.host.jobs import history
from diffsynth_blender.host.jobs.record import new_record
from diffsynth_blender.host.result import strip
from diffsynth_blender.host.result.find import Result, scene_with_result
from diffsynth_blender.host.result.place import place_result
from diffsynth_blender.host.result.sequencer import every_strip, strips_of
from diffsynth_blender.host.result.show import WORKSPACE, hide_metadata
from diffsynth_blender.host.result.strip_replace import find_original
from diffsynth_blender.host.source.source import StripSource, write_source
from diffsynth_blender.protocol import Settings, load_job, output_path, save_job
from tests.host.drawing import draw
from tests.host.dumps import differences, dump_sequencer
from tests.host.test_deflicker import activate
from tests.host.test_strip import HEIGHT, WIDTH, make_job, read_png, render_still, write_png

FRAMES = (5, 6, 7)


@pytest.fixture
def shot() -> bpy.types.Scene:
    """A shot of three frames that another scene shows as a strip, exactly."""
    addon.register()
    scene = bpy.context.scene
    scene.name = "Shot"
    scene.frame_start, scene.frame_end = FRAMES[0], FRAMES[-1]
    edit = bpy.data.scenes.new("Edit")
    edit.render.resolution_x, edit.render.resolution_y = WIDTH, HEIGHT
    strip.show_exactly(edit)
    take = strips_of(edit).new_scene("Take", scene, 2, 101)
    activate(edit, take)
    bpy.context.window.scene = edit
    yield scene
    addon.unregister()


def result_pictures(job_dir: Path) -> list[np.ndarray]:
    return [read_png(output_path(job_dir, frame)) for frame in FRAMES]


def test_new_strip_by_default(shot, tmp_path):
    """In an edit scene of its own, with what it was made with as custom properties."""
    make_job(tmp_path / "job")
    assert scene_with_result(shot) is None
    assert place_result(shot, tmp_path / "job") == "3 frames in the scene 'Shot Stylised'"
    assert scene_with_result(shot) == strip.find_edit_scene(shot)
    [shown] = strips_of(strip.find_edit_scene(shot))
    assert shown["diffsynth_seed"] == 0 and shown["diffsynth_model"] == "demo"
    assert len(shown["diffsynth_settings_hash"]) == 64


def test_in_place_of_the_scene_strip(shot, tmp_path):
    """Every strip that shows the scene; a redo renews it; one click restores it exactly."""
    edit = bpy.data.scenes["Edit"]
    before = dump_sequencer(edit)
    shot.diffsynth.result.placement = "REPLACE"
    make_job(tmp_path / "job")
    assert place_result(shot, tmp_path / "job") == "3 frames in place of the strip 'Take' in the scene 'Edit'"
    assert strip.find_edit_scene(shot) is None and scene_with_result(shot) == edit
    for frame, picture in zip((101, 102, 103), result_pictures(tmp_path / "job"), strict=True):
        np.testing.assert_array_equal(render_still(edit, frame, tmp_path / "shown.png"), picture)
    names = [shown.name for shown in every_strip(edit)]
    make_job(tmp_path / "job", seed=1)
    place_result(shot, tmp_path / "job")
    assert [shown.name for shown in every_strip(edit)] == names
    np.testing.assert_array_equal(render_still(edit, 102, tmp_path / "shown.png"), result_pictures(tmp_path / "job")[1])
    activate(edit, strips_of(edit)["Take Stylised"])
    assert bpy.ops.diffsynth.restore_strip() == {"FINISHED"}
    after = dump_sequencer(edit)
    after["strips"]["Take"]["select"] = True  # the result was selected by hand above
    assert differences(before, after) == []


def test_another_job_in_the_same_place(shot, tmp_path):
    """A variation takes the place of the one before it; the original is still the original."""
    shot.diffsynth.result.placement = "REPLACE"
    for number, name in enumerate(("clay", "gold")):
        make_job(tmp_path / name, seed=number)
        place_result(shot, tmp_path / name)
    edit = bpy.data.scenes["Edit"]
    [result] = [shown for shown in every_strip(edit) if find_original(shown)]
    assert find_original(result).name == "Take"
    np.testing.assert_array_equal(
        render_still(edit, 101, tmp_path / "shown.png"), result_pictures(tmp_path / "gold")[0]
    )


def test_what_cannot_be_replaced_gets_a_strip_of_its_own(shot, tmp_path):
    """The frames are never lost, and the sentence says why they are elsewhere."""
    shot.diffsynth.result.placement = "REPLACE"
    shot.frame_end = 9
    edit = bpy.data.scenes["Edit"]
    strips_of(edit).new_scene("Longer", shot, 3, 201)
    make_job(tmp_path / "job")
    told = place_result(shot, tmp_path / "job")
    assert "in place of the strip 'Take'" in told and "Strip 'Longer' shows frames 5 to 9" in told
    for shown in list(strips_of(edit)):
        strips_of(edit).remove(shown)
    told = place_result(shot, tmp_path / "job")
    assert told.startswith("3 frames in the scene 'Shot Stylised'. No strip shows scene 'Shot'")


def test_shorter_result_gets_a_strip_of_its_own(shot, tmp_path):
    """A strip that was replaced keeps what it shows when a later job has fewer frames, and the sentence says why."""
    shot.diffsynth.result.placement = "REPLACE"
    make_job(tmp_path / "job")
    place_result(shot, tmp_path / "job")
    make_job(tmp_path / "job", frames=(5, 6))
    told = place_result(shot, tmp_path / "job")
    assert told.startswith("2 frames in the scene 'Shot Stylised'")
    assert told.count("Strip 'Take' shows frames 5 to 7 of scene 'Shot', but 5 to 6 were stylised") == 1
    assert strips_of(bpy.data.scenes["Edit"])["Take Stylised"].frame_final_duration == 3


def test_frames_only(shot, tmp_path):
    """Nothing changes in the file."""
    shot.diffsynth.result.placement = "NONE"
    make_job(tmp_path / "job")
    before = dump_sequencer(bpy.data.scenes["Edit"])
    assert place_result(shot, tmp_path / "job") == f"3 frames in {tmp_path / 'job' / 'output'}"
    assert differences(before, dump_sequencer(bpy.data.scenes["Edit"])) == []
    assert strip.find_edit_scene(shot) is None


def footage(shot: bpy.types.Scene, tmp_path: Path, placement: str) -> tuple[bpy.types.Scene, bpy.types.Strip]:
    """An image strip of the edit scene, stylised."""
    edit = bpy.data.scenes["Edit"]
    paths = [tmp_path / "plain" / f"{number}.png" for number in range(3)]
    for number, path in enumerate(paths):
        write_png(path, np.full((HEIGHT, WIDTH, 3), 40 * number, np.uint8))
    plain = strip.new_image_strip(edit, "Plain", paths, FRAMES[0], 4)
    plain.transform.offset_x = 3.0
    make_job(tmp_path / "job")
    (tmp_path / "job" / "source" / "source.json").write_text('{"kind": "strip", "strip": "Plain"}')
    edit.diffsynth.result.placement = placement
    return edit, plain


@pytest.mark.parametrize(("placement", "channel"), [("NEW", 5), ("REPLACE", 4)])
def test_strip_that_was_stylised(shot, tmp_path, placement, channel):
    """Its result lies above it or in its place, in the same place of the picture."""
    edit, plain = footage(shot, tmp_path, placement)
    place_result(edit, tmp_path / "job")
    result = strips_of(edit)["Plain Stylised"]
    assert (result.channel, result.frame_final_start, result.frame_final_end) == (channel, 5, 8)
    assert result.transform.offset_x == 3.0 and plain.mute == (placement == "REPLACE")
    assert len(list(every_strip(edit))) == 3
    place_result(edit, tmp_path / "job")
    assert len(list(every_strip(edit))) == 3


@pytest.mark.parametrize("animated", [False, True])
def test_enlarged_frames_are_as_large_as_the_strip(shot, tmp_path, animated):
    """Super-resolution gives more pixels in the same place of the picture; without it again, it is as before."""
    edit = bpy.data.scenes["Edit"]
    take = strips_of(edit)["Take"]
    take.transform.scale_x, take.crop.min_x = 0.5, 4
    if animated:
        take.transform.keyframe_insert("scale_x", frame=102)
    shot.diffsynth.result.placement = "REPLACE"
    for upscale, scale, crop in ((2, 0.25, 8), (1, 0.5, 4)):
        make_job(tmp_path / "job")
        job = load_job(tmp_path / "job")
        save_job(replace(job, settings=replace(job.settings, upscale=upscale)), tmp_path / "job")
        place_result(shot, tmp_path / "job")
        result = strips_of(edit)["Take Stylised"]
        edit.frame_set(102)
        assert (result.transform.scale_x, result.transform.scale_y, result.crop.min_x) == (scale, 1 / upscale, crop)


@pytest.mark.parametrize("kind", ["edit", "NEW", "REPLACE"])
def test_wipe(shot, tmp_path, kind):
    """On one side of the line are the source's very pixels, on the other the result's; then all is as before."""
    if kind == "edit":
        make_job(tmp_path / "job")
        place_result(shot, tmp_path / "job")
        scene = strip.find_edit_scene(shot)
        [result] = strips_of(scene)
        source = read_png(load_job(tmp_path / "job").shot.source_path(tmp_path / "job", 6))
    else:
        scene, plain = footage(shot, tmp_path, kind)
        plain.transform.offset_x = 0.0
        place_result(scene, tmp_path / "job")
        result = strips_of(scene)["Plain Stylised"]
        source = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
    bpy.context.window.scene = scene
    activate(scene, result)
    result.driver_add("color_saturation").driver.expression = "1.0"
    result.transform.keyframe_insert("offset_x", frame=6)
    scene.frame_set(6)
    before = dump_sequencer(scene)
    assert bpy.ops.diffsynth.wipe() == {"FINISHED"}
    [wipe] = [shown for shown in strips_of(scene) if shown.type == "WIPE"]
    shown = render_still(scene, 6, tmp_path / "shown.png")
    half = WIDTH // 2
    np.testing.assert_array_equal(shown[:, : half - 1], source[:, : half - 1])
    np.testing.assert_array_equal(shown[:, half + 1 :], read_png(output_path(tmp_path / "job", 6))[:, half + 1 :])
    for fader, picture in ((0.0, read_png(output_path(tmp_path / "job", 6))), (1.0, source)):
        wipe.effect_fader = fader
        np.testing.assert_array_equal(render_still(scene, 6, tmp_path / "shown.png"), picture)
    assert bpy.ops.diffsynth.wipe() == {"FINISHED"}
    assert differences(before, dump_sequencer(scene)) == []


def test_restoring_takes_the_comparison_away(shot, tmp_path):
    """Whichever of the two strips is active."""
    edit, plain = footage(shot, tmp_path, "REPLACE")
    before = dump_sequencer(edit)
    place_result(edit, tmp_path / "job")
    bpy.context.window.scene = edit
    activate(edit, strips_of(edit)["Plain Stylised"])
    bpy.ops.diffsynth.wipe()
    activate(edit, plain)
    assert bpy.ops.diffsynth.restore_strip() == {"FINISHED"}
    after = dump_sequencer(edit)
    for name in ("Plain", "Take"):
        after["strips"][name]["select"] = before["strips"][name]["select"]
    after["active"] = before["active"]
    assert differences(before, after) == []


def test_colours_that_change_are_told(shot, tmp_path):
    """The sentence says what to set where; the button sets it; then frames are exact."""
    edit = bpy.data.scenes["Edit"]
    edit.view_settings.view_transform, edit.view_settings.exposure = "AgX", 0.5
    shot.diffsynth.result.placement = "REPLACE"
    make_job(tmp_path / "job")
    told = place_result(shot, tmp_path / "job")
    assert "Scene 'Edit' changes the colours of finished frames; to keep them set" in told
    assert "Color Management > View Transform to Standard (it is AgX)" in told
    assert "Color Management > Exposure to 0 (it is 0.5)" in told
    wrong = render_still(edit, 101, tmp_path / "shown.png")
    assert bpy.ops.diffsynth.show_exactly() == {"FINISHED"}
    assert not bpy.ops.diffsynth.show_exactly.poll()
    shown = render_still(edit, 101, tmp_path / "shown.png")
    np.testing.assert_array_equal(shown, result_pictures(tmp_path / "job")[0])
    assert not np.array_equal(wrong, shown)
    assert place_result(shot, tmp_path / "job") == "3 frames in place of the strip 'Take' in the scene 'Edit'"


def test_sound_that_is_muted_is_told(shot, tmp_path):
    """A replaced strip is silent; what of it was heard, the sentence says."""
    shot.diffsynth.result.placement = "REPLACE"
    make_job(tmp_path / "job")
    with wave.open(str(tmp_path / "tone.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(16000))
    if not bpy.app.build_options.audaspace:
        pytest.skip("this Blender was built without sound")
    strips_of(shot).new_sound("Tone", str(tmp_path / "tone.wav"), 1, 5)
    told = place_result(shot, tmp_path / "job")
    assert told.endswith("Strip 'Take' is muted with the sound inside it; add that sound as a strip of its own")
    strips_of(shot)["Tone"].mute = True
    assert "sound" not in place_result(shot, tmp_path / "job")


def test_replacing_is_one_step_to_undo(shot, tmp_path):
    """Undone, every strip is as it was."""
    edit = bpy.data.scenes["Edit"]
    make_job(tmp_path / "job")
    bpy.ops.ed.undo_push(message="before")
    before = dump_sequencer(edit)
    assert bpy.ops.diffsynth.replace_strip("EXEC_DEFAULT", True, job_folder=str(tmp_path / "job")) == {"FINISHED"}
    assert differences(before, dump_sequencer(edit)) != []
    bpy.ops.ed.undo()
    assert differences(before, dump_sequencer(bpy.data.scenes["Edit"])) == []


def test_button_replaces_the_active_strip(shot, tmp_path):
    """It finds the newest result of what the strip shows; where there is none, it says so."""
    edit = bpy.data.scenes["Edit"]
    shot.diffsynth.output_folder = str(tmp_path)
    with pytest.raises(RuntimeError, match="no finished result of scene 'Shot' is found; stylise it first"):
        bpy.ops.diffsynth.replace_strip()
    make_job(tmp_path / "Shot")
    assert bpy.ops.diffsynth.replace_strip() == {"FINISHED"}
    assert edit.sequence_editor.active_strip.name == "Take Stylised"
    assert not bpy.ops.diffsynth.replace_strip.poll() and bpy.ops.diffsynth.restore_strip.poll()
    assert bpy.ops.diffsynth.restore_strip() == {"FINISHED"}
    assert not bpy.ops.diffsynth.restore_strip.poll()
    make_job(tmp_path / "other")
    assert bpy.ops.diffsynth.replace_strip(job_folder=str(tmp_path / "other")) == {"FINISHED"}


def test_buttons_wait_for_a_strip(shot):
    """Without a strip that holds frames there is nothing to replace or compare."""
    edit = bpy.data.scenes["Edit"]
    assert not bpy.ops.diffsynth.wipe.poll() and not bpy.ops.diffsynth.restore_strip.poll()
    activate(edit, compat.new_effect(strips_of(edit), "Colour", "COLOR", 7, 1, 5))
    assert not bpy.ops.diffsynth.replace_strip.poll()
    edit.sequence_editor.active_strip = None
    assert not bpy.ops.diffsynth.replace_strip.poll()


def test_a_result_takes_its_own_place_only_where_it_was_stylised_itself(shot, tmp_path):
    """Its button waits for the strip that it was made from, unless a job has the result as its source."""
    make_job(tmp_path / "job")
    result = strip.insert_strip(shot, tmp_path / "job")
    edit = strip.find_edit_scene(shot)
    bpy.context.window.scene = edit
    activate(edit, result)
    assert not bpy.ops.diffsynth.replace_strip.poll()
    settings = Settings(prompt="gold")
    source = write_source(StripSource(result.name))
    history.put(edit, new_record(edit.name, tmp_path / "second", range(5, 8), settings, source=source))
    assert bpy.ops.diffsynth.replace_strip.poll()


def test_panels_are_drawn(shot, tmp_path):
    """In every state: no result, a replaced strip, a comparison; with what was used, and what changes the colours."""
    edit = bpy.data.scenes["Edit"]
    panels = [bpy.types.DIFFSYNTH_PT_strip_result, *([bpy.types.DIFFSYNTH_PT_strip_tab] if compat.STRIP_TAB else [])]
    take = strips_of(edit)["Take"]

    def shown() -> str:
        return " ".join(item.get("draw_string", "") for panel in panels for item in draw(panel, "SEQUENCE_EDITOR"))

    activate(edit, take)
    assert "Replace by Result" in shown() and "Restore" not in shown()
    shot.diffsynth.result.placement = "REPLACE"
    make_job(tmp_path / "job")
    place_result(shot, tmp_path / "job")
    assert all(word in shown() for word in ("Restore Original", "Model: demo", "Seed: 0", "Settings: "))
    activate(edit, strips_of(edit)["Take Stylised"])
    bpy.ops.diffsynth.wipe()
    assert "Keep Colours" not in shown()
    edit.view_settings.view_transform = "AgX"
    assert "Keep Colours" in shown() and "View Transform" in shown()
    result = draw(bpy.types.DIFFSYNTH_PT_result, "SEQUENCE_EDITOR")  # the one area there is by now
    assert "In the Compositor" in " ".join(item.get("draw_string", "") for item in result)


def test_scene_linked_from_another_file(tmp_path):
    """The strip of a linked scene is replaced and restored; nothing is written into what is linked."""
    addon.register()
    bpy.context.scene.name = "Shot"
    bpy.context.scene.frame_start, bpy.context.scene.frame_end = FRAMES[0], FRAMES[-1]
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    edit = bpy.context.scene
    with bpy.data.libraries.load(str(tmp_path / "shot.blend"), link=True) as (_, wanted):
        wanted.scenes = ["Shot"]
    take = strips_of(edit).new_scene("Take", bpy.data.scenes["Shot"], 1, 1)
    activate(edit, take)
    before = dump_sequencer(edit)
    make_job(tmp_path / "job")
    assert bpy.ops.diffsynth.replace_strip(job_folder=str(tmp_path / "job")) == {"FINISHED"}
    assert strips_of(edit)["Take Stylised"].elements[2].filename == "0007.png"
    assert bpy.ops.diffsynth.restore_strip() == {"FINISHED"}
    assert differences(before, dump_sequencer(edit)) == []
    addon.unregister()


def test_what_files_say_is_not_written_across_their_pictures():
    """Blender's workspace for editing shows it at first; where it is brought on screen for a result, it does not."""
    bpy.ops.wm.read_homefile(use_factory_startup=True, app_template="Video_Editing")
    workspace = bpy.data.workspaces[WORKSPACE]
    spaces = [space for screen in workspace.screens for area in screen.areas for space in area.spaces]
    overlays = [space.preview_overlay for space in spaces if space.type == "SEQUENCE_EDITOR"]
    assert any(overlay.show_metadata for overlay in overlays)
    hide_metadata(workspace)
    assert not any(overlay.show_metadata for overlay in overlays)


def test_everything_has_a_tooltip(shot):
    """Whatever the mouse rests on explains itself."""
    properties = shot.diffsynth.result.bl_rna.properties
    assert [p.identifier for p in properties if not p.description and p.identifier not in {"rna_type", "name"}] == []
    for name in ("replace_strip", "restore_strip", "wipe", "replace_compositor", "restore_compositor", "show_exactly"):
        assert getattr(bpy.ops.diffsynth, name).get_rna_type().description


def test_result_is_read_from_its_folder(tmp_path):
    """Frames of every second one are held, and a shot of a scene has no strip."""
    make_job(tmp_path / "job", frames=(5, 7, 9))
    result = Result.of(tmp_path / "job")
    assert [path.name for path in result.held.values()] == ["0005.png", "0005.png", "0007.png", "0007.png", "0009.png"]
    assert result.strip == ""
