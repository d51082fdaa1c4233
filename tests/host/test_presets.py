"""Presets come back as they were saved, in another scene and another file, and leave alone what is the file's."""

from pathlib import Path

import bpy
import pytest

from diffsynth_blender.host import addon
from diffsynth_blender.host.shot import presets, properties
from diffsynth_blender.host.shot.fill import fill_settings
from diffsynth_blender.protocol import Settings
from diffsynth_blender.protocol.looks import LOOKS, apply_look
from tests.host.shots import make_shot
from tests.host.test_panel_settings import every_other_value


@pytest.fixture
def scene(tmp_path, monkeypatch):
    """A small shot in a Blender that has the add-on, and a user without presets."""
    folder = tmp_path / "scripts"
    monkeypatch.setattr(bpy.utils, "user_resource", lambda kind, path="", create=False: made(folder / path, create))
    monkeypatch.setattr(bpy.utils, "script_paths", lambda subdir=None, **options: [str(folder / (subdir or ""))])
    addon.register()
    yield make_shot(width=32, height=24)
    addon.unregister()


def made(folder: Path, create: bool) -> str:
    if create:
        folder.mkdir(parents=True, exist_ok=True)
    return str(folder)


def saved_as(name: str) -> Path:
    assert bpy.ops.diffsynth.preset_add(name=name) == {"FINISHED"}
    return Path(bpy.utils.preset_find(name, presets.SUBFOLDER))


def shipped_presets() -> list[Path]:
    return sorted((presets.SHIPPED / "presets" / presets.SUBFOLDER).glob("*.py"))


def test_a_preset_comes_back_as_it_was_saved(scene, tmp_path):
    """Every setting survives the way through a preset, keyframes aside, whatever was chosen since."""
    settings = every_other_value(tmp_path)
    scene.diffsynth.look = "TEXT"
    fill_settings(scene.diffsynth, settings)
    scene.diffsynth.device = "AUTO"
    wanted = properties.to_settings(scene.diffsynth)
    preset = saved_as("Mine")
    other = bpy.data.scenes.new("other")
    bpy.context.window.scene = other
    other.diffsynth.look, other.diffsynth.controls.canny.use = "RESTORE", True
    other.diffsynth.loras.add()
    assert bpy.ops.diffsynth.preset_load(filepath=str(preset)) == {"FINISHED"}
    assert properties.to_settings(other.diffsynth) == wanted
    assert other.diffsynth.look == "TEXT"


def test_reset_is_a_new_scene(scene, tmp_path):
    """Everything is as at first, but for what is the file's own."""
    fill_settings(scene.diffsynth, every_other_value(tmp_path))
    scene.diffsynth.look = "FASHION"
    scene.diffsynth.output_folder, scene.diffsynth.device = "//elsewhere/", "AUTO"
    assert bpy.ops.diffsynth.reset() == {"FINISHED"}
    scene.diffsynth.device = "AUTO"
    assert properties.to_settings(scene.diffsynth) == Settings(prompt="")
    assert scene.diffsynth.output_folder == "//elsewhere/"


def test_presets_leave_the_file_alone(scene):
    """Range, output and source belong to the shot, not to a look."""
    scene.diffsynth.output_folder, scene.diffsynth.frame_end = "//here/", 77
    preset = saved_as("Mine")
    assert not any(f".{name} " in preset.read_text() for name in presets.OF_THE_FILE)
    scene.diffsynth.output_folder, scene.diffsynth.frame_end = "//there/", 99
    bpy.ops.diffsynth.preset_load(filepath=str(preset))
    assert (scene.diffsynth.output_folder, scene.diffsynth.frame_end) == ("//there/", 99)


def test_paths_mean_the_same_in_another_file(scene, tmp_path):
    """A path beside the .blend file is saved as where that is."""
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    chosen = bpy.context.scene.diffsynth
    chosen.model, chosen.model_folder = "FOLDER", "//model"
    preset = saved_as("Mine")
    chosen.model_folder = ""
    bpy.ops.diffsynth.preset_load(filepath=str(preset))
    assert chosen.model_folder == str(tmp_path / "model")


def test_a_preset_of_an_older_version_has_defaults_for_the_rest(scene, tmp_path):
    """What a preset does not name is as in a new scene; the model stays what it is."""
    preset = tmp_path / "old.py"
    preset.write_text("import bpy\nbpy.context.scene.diffsynth.prompt = 'clay'\n")
    chosen = scene.diffsynth
    chosen.model, chosen.model_folder = "FOLDER", str(tmp_path)
    chosen.seed, chosen.use_key_frames, chosen.controls.depth.use = 8, True, False
    bpy.ops.diffsynth.preset_load(filepath=str(preset))
    settings = properties.to_settings(chosen)
    assert (settings.prompt, settings.seed, settings.key_frames, settings.model) == ("clay", 0, None, str(tmp_path))
    assert [control.kind for control in settings.controls] == ["depth", "normal", "tile"]


def test_presets_are_removed(scene):
    """The minus beside a preset takes its file away."""
    preset = saved_as("Mine")
    assert bpy.ops.diffsynth.preset_add(name="Mine", remove_name=True) == {"FINISHED"}
    assert not preset.exists()


def test_shipped_presets_stay(scene):
    """They are part of the extension, not of the user's folder."""
    [gold] = [path for path in shipped_presets() if path.stem == "Gold"]
    bpy.ops.diffsynth.preset_add(name="Gold", remove_name=True)
    assert gold.exists()


def test_loading_is_one_step_of_undo(scene):
    """Whatever a preset changed comes back at once."""
    scene.diffsynth.prompt, scene.diffsynth.seed = "my own", 7
    bpy.ops.ed.undo_push(message="before")
    preset = next(path for path in shipped_presets() if path.stem == "Watercolour")
    bpy.ops.diffsynth.preset_load("EXEC_DEFAULT", True, filepath=str(preset))
    chosen = bpy.context.scene.diffsynth
    assert (chosen.look, chosen.seed) == ("TEXT", 0)
    bpy.ops.ed.undo()
    chosen = bpy.context.scene.diffsynth
    assert (chosen.look, chosen.prompt, chosen.seed) == ("RENDER", "my own", 7)


def test_a_preset_that_is_not_there_is_said(scene, tmp_path):
    """Its file was removed meanwhile."""
    with pytest.raises(RuntimeError, match="no such preset"):
        bpy.ops.diffsynth.preset_load(filepath=str(tmp_path / "gone.py"))


def test_shipped_presets_are_found_and_complete(scene, tmp_path):
    """Those that come with the extension stand in the menu, and make a shot ready with any model."""
    shipped = shipped_presets()
    assert str(shipped[0].parent) in bpy.utils.preset_paths(presets.SUBFOLDER)
    chosen = scene.diffsynth
    for model in ("DEMO", "FOLDER"):
        chosen.model, chosen.model_folder = model, str(tmp_path)
        for preset in shipped:
            bpy.ops.diffsynth.preset_load(filepath=str(preset))
            settings = properties.to_settings(chosen)
            bare = Settings(
                prompt=settings.prompt,
                negative_prompt=settings.negative_prompt,
                model="demo" if model == "DEMO" else str(tmp_path),
            )
            assert settings.prompt and settings == apply_look(bare, chosen.look.lower())
            assert not LOOKS[chosen.look.lower()].needs
