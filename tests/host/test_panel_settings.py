"""What the artist chooses is what the job gets: defaults, looks, models, and every single setting."""

import json
import subprocess
from dataclasses import fields, replace

import bpy
import pytest

from diffsynth_blender.host import addon
from diffsynth_blender.host.preferences import worker_python
from diffsynth_blender.host.shot import properties
from diffsynth_blender.host.shot.control_properties import LABELS
from diffsynth_blender.host.shot.fill import fill_settings
from diffsynth_blender.protocol import (
    CONTROL_KINDS,
    NOISE_KINDS,
    SAMPLERS,
    UPSCALES,
    Attention,
    BadJobError,
    Control,
    Deflicker,
    KeyFrames,
    Lora,
    Noise,
    Reference,
    Region,
    Settings,
    change_settings,
)
from diffsynth_blender.protocol.looks import LOOKS, apply_look
from tests.host.shots import make_shot


@pytest.fixture
def scene():
    """A small shot in a Blender that has the add-on."""
    addon.register()
    yield make_shot(width=32, height=24)
    addon.unregister()


def every_other_value(tmp_path) -> Settings:
    """Settings that differ from the defaults in everything that a panel can say, with numbers no float32 holds."""
    path = str(tmp_path.resolve() / "x")
    return Settings(
        prompt="gold",
        negative_prompt="red",
        model=f"{path}.safetensors",
        vae=path,
        loras=(Lora(f"{path}1.safetensors", -0.7), Lora(f"{path}2.safetensors", 1.3)),
        clip_skip=2,
        sampler="unipc",
        seed=9,
        steps=7,
        strength=0.3,
        guidance_scale=2.7,
        noise=Noise("surface", 0.1),
        attention=Attention(("first", "self"), 5, 3, "trajectory"),
        controls=(
            Control("normal", 0.35, 0.1, 0.9, path, "normalbae"),
            Control("lineart", 1.7, annotator="lineart_standard"),
            Control("tile", 0.2),
        ),
        reference=Reference(f"{path}.png", False, path, 0.8),
        deflicker=Deflicker(3, 1, (2, 6, 11), (8, 4, 1), (1.0, 0.55), True, "repaired"),
        hold_colours=0.4,
        key_frames=KeyFrames(6, False),
        upscale=2,
        tiny_vae=False,
        precision="bfloat16",
        batch=3,
        annotators=path,
        device="cpu",
        baseline=True,
    )


def test_defaults_are_the_protocols(scene):
    """A script and the panel mean the same by saying nothing."""
    assert properties.to_settings(scene.diffsynth) == Settings(prompt="")


def test_every_setting_goes_in_and_comes_out(scene, tmp_path):
    """The panel can say all that a job can: settings shown in it are read from it unchanged."""
    settings = every_other_value(tmp_path)
    default = Settings(prompt="")
    same = {field.name for field in fields(Settings) if getattr(settings, field.name) == getattr(default, field.name)}
    # Regions are collections in the panel, their rest depends on them, and keyframes are sampled (test_animation).
    assert same == {"regions", "keep_rest", "animation"}
    fill_settings(scene.diffsynth, settings)
    assert properties.to_settings(scene.diffsynth) == settings
    assert change_settings(settings, ()) == settings  # as read from a job.json
    fill_settings(scene.diffsynth, default)
    assert properties.to_settings(scene.diffsynth) == default


def test_settings_are_saved_with_the_file(scene, tmp_path):
    """Saved and opened again, each scene of a file has its own settings, keyframes too."""
    fill_settings(scene.diffsynth, every_other_value(tmp_path))
    scene.diffsynth.keyframe_insert("guidance_scale", frame=1)
    scene.diffsynth.guidance_scale = 9.0
    scene.diffsynth.keyframe_insert("guidance_scale", frame=9)
    other = bpy.data.scenes.new("Other")
    other.diffsynth.prompt = "clay"
    wanted = {each.name: properties.to_settings(each.diffsynth, range(1, 10)) for each in bpy.data.scenes}
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot é.blend"))
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot é.blend"))
    found = {each.name: properties.to_settings(each.diffsynth, range(1, 10)) for each in bpy.data.scenes}
    assert found == wanted and wanted["Scene"].animation and wanted["Other"] == Settings(prompt="clay")


def test_choices_of_the_panel_are_those_of_the_protocol(scene):
    """No kind, sampler or size is missing from a menu."""
    chosen = scene.diffsynth

    def items(owner, name):
        return [item.identifier.lower() for item in owner.bl_rna.properties[name].enum_items]

    assert items(chosen, "sampler") == list(SAMPLERS)
    assert items(chosen.noise, "kind") == list(NOISE_KINDS)
    assert items(chosen, "upscale") == [str(size) for size in UPSCALES]
    assert list(LABELS) == list(CONTROL_KINDS) == items(chosen.controls, "kinds")


def test_annotators_of_the_panel_are_those_of_the_worker(scene):
    """Each control can be estimated by whatever estimates its kind."""
    script = (
        "import json\n"
        "from diffsynth_blender.passes.annotators import ANNOTATORS\n"
        "print(json.dumps([[name, estimator.kind] for name, estimator in ANNOTATORS.items()]))"
    )
    known = subprocess.run([worker_python(), "-c", script], capture_output=True, text=True, check=True).stdout
    # Nothing else estimates edges, so there is nothing to choose.
    known = [(name, kind) for name, kind in json.loads(known) if kind != "canny"]
    offered = []
    for kind in CONTROL_KINDS:
        prop = getattr(scene.diffsynth.controls, kind).bl_rna.properties.get("annotator")
        offered += (
            [(item.identifier.lower(), kind) for item in prop.enum_items if item.identifier != "EXACT"] if prop else []
        )
    assert sorted(offered) == sorted(known)


@pytest.mark.parametrize("look", LOOKS)
def test_a_look_sets_all_that_it_decides(scene, tmp_path, look):
    """Panel and command line mean the same by a look, with either kind of model."""
    chosen = scene.diffsynth
    chosen.look = look.upper()
    assert properties.incomplete_settings(chosen) == apply_look(Settings(prompt=""), look)
    chosen.model, chosen.model_folder = "FOLDER", str(tmp_path)
    assert properties.incomplete_settings(chosen) == apply_look(Settings(prompt="", model=str(tmp_path)), look)
    chosen.model = "DEMO"
    assert properties.incomplete_settings(chosen) == apply_look(Settings(prompt=""), look)


def test_what_is_set_after_a_look_counts(scene, tmp_path):
    """A look is where to begin."""
    chosen = scene.diffsynth
    chosen.look, chosen.reference_image = "IMAGE", str(tmp_path / "look.png")
    settings = properties.to_settings(chosen)
    assert settings.reference == Reference(str(tmp_path / "look.png"))
    chosen.strength, chosen.deflicker.window, chosen.controls.depth.scale = 0.25, 2, 0.0
    changed = properties.to_settings(chosen)
    assert (changed.strength, changed.deflicker.window, changed.attention) == (0.25, 2, settings.attention)
    assert [control.kind for control in changed.controls] == ["normal", "tile"]


def test_another_model_changes_what_nobody_chose(scene, tmp_path):
    """A model of one's own wants other values than the demo model; those that the artist set stay."""
    chosen = scene.diffsynth
    chosen.look, chosen.steps, chosen.deflicker.skip_last = "TEXT", 33, 2
    chosen.model, chosen.model_folder = "FOLDER", str(tmp_path)
    own = apply_look(Settings(prompt="", model=str(tmp_path)), "text")
    own = replace(own, steps=33, deflicker=replace(own.deflicker, skip_last=2))
    assert properties.to_settings(chosen) == own
    assert [control.kind for control in own.controls] == ["depth", "softedge"]
    chosen.model, chosen.model_file = "FILE", str(tmp_path / "model.safetensors")
    assert properties.to_settings(chosen) == replace(own, model=str(tmp_path / "model.safetensors"))
    chosen.model = "DEMO"
    demo = apply_look(Settings(prompt=""), "text")
    demo = replace(demo, steps=33, deflicker=replace(demo.deflicker, skip_last=2))
    assert properties.to_settings(chosen) == demo


def test_looks_ask_for_what_they_need(scene):
    """A look without its picture or its objects is an incomplete choice."""
    chosen = scene.diffsynth
    chosen.look = "IMAGE"
    with pytest.raises(BadJobError, match="needs a reference picture"):
        properties.to_settings(chosen)
    chosen.look = "FASHION"
    with pytest.raises(BadJobError, match="needs the objects to restyle"):
        properties.to_settings(chosen)
    [region] = chosen.regions
    region.collection = clothes = bpy.data.collections.new("Clothes")
    with pytest.raises(BadJobError, match="'Clothes' has no object that is rendered"):
        properties.to_settings(chosen)
    shown = next(object for object in scene.objects if object.type == "MESH")
    clothes.objects.link(shown)
    clothes.objects.link(scene.camera)
    region.prompt = "gold"
    settings = properties.to_settings(chosen)
    assert settings.regions == (Region((shown.name,), "gold"),) and settings.keep_rest
    chosen.look = "TEXT"
    assert properties.to_settings(chosen).regions == ()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("deflicker.window_schedule", "8, four", "whole numbers from 0 to 1000"),
        ("deflicker.strength_schedule", "1, 2", "numbers from 0 to 1"),
        ("deflicker.steps", "6, 2", "rising numbers"),
        ("controls.depth.start", 1.0, "Depth begins where it ends"),
        ("attention.stride", 9, "make Stride smaller"),
        ("model", "FILE", "set Model File"),
    ],
)
def test_what_cannot_be_is_said(scene, name, value, words):
    """A sentence says what is wrong, as the panel calls it, and what to do."""
    chosen = scene.diffsynth
    chosen.use_attention = chosen.deflicker.use_schedule = True
    *group, last = name.split(".")
    setattr(chosen.path_resolve(group[0] + (f".{group[1]}" if group[1:] else "")) if group else chosen, last, value)
    with pytest.raises(BadJobError, match=words):
        properties.to_settings(chosen)


def test_lists_grow_and_shrink(scene):
    """Buttons beside a list keep one item active, and say when there is none."""
    chosen = scene.diffsynth
    assert not bpy.ops.diffsynth.lora_remove.poll()
    for _ in range(3):
        bpy.ops.diffsynth.lora_add()
    assert (len(chosen.loras), chosen.active_lora) == (3, 2)
    chosen.active_lora = 1
    chosen.loras[2].path = "//kept.safetensors"
    bpy.ops.diffsynth.lora_remove()
    assert [lora.path for lora in chosen.loras] == ["", "//kept.safetensors"] and chosen.active_lora == 0
    with pytest.raises(BadJobError, match="LoRA 1 has no file"):
        properties.to_settings(chosen)


def test_another_seed_is_one_button(scene):
    """Variations are drawn, not typed."""
    before = scene.diffsynth.seed
    assert bpy.ops.diffsynth.new_seed() == {"FINISHED"}
    assert scene.diffsynth.seed != before


def test_everything_has_a_tooltip(scene):
    """Whatever the mouse rests on explains itself."""
    undocumented = []
    groups = [scene.diffsynth.bl_rna]
    for group in groups:
        for prop in group.properties:
            if not prop.description and prop.identifier not in {"rna_type", "name"}:
                undocumented.append((group, prop.identifier))
            if prop.type in {"POINTER", "COLLECTION"} and prop.fixed_type.base == bpy.types.PropertyGroup.bl_rna:
                groups.append(prop.fixed_type)
    buttons = [cls for cls in addon.CLASSES if issubclass(cls, bpy.types.Operator)]
    undocumented += [button for button in buttons if not button.bl_description]
    assert undocumented == []
    assert len(groups) > 15 and len(buttons) > 10
