"""A strip of results takes the place of another strip, frame by frame, and the original comes back exactly."""

from __future__ import annotations

import itertools

import bpy
import numpy as np
import pytest

from diffsynth_blender.host import compat
from diffsynth_blender.host.result import strip
from diffsynth_blender.host.result.sequencer import free_channel, strips_of
from diffsynth_blender.host.result.strip_content import HANDLE_LIMIT, camera_content, shown_content
from diffsynth_blender.host.result.strip_look import APPEARANCE, BLENDING
from diffsynth_blender.host.result.strip_render import render_strip
from diffsynth_blender.host.result.strip_replace import find_original, find_result, replace_strip, restore_strip
from diffsynth_blender.protocol import BadJobError
from tests.host.dumps import differences, dump_sequencer
from tests.host.strips import KINDS, add_image, add_meta, add_scene, adorn, content_of, in_sequencer, noise, pictures
from tests.host.test_strip import HEIGHT, WIDTH, read_png, render_still

_MODIFIER = getattr(bpy.types, "StripModifier", None) or bpy.types.SequenceModifier
MODIFIERS = [item.identifier for item in _MODIFIER.bl_rna.properties["type"].enum_items]
TIMING = ("frame_start", "frame_final_start", "frame_final_end", "frame_offset_start", "frame_offset_end", "channel")


@pytest.fixture
def edit(tmp_path) -> bpy.types.Scene:
    """A sequencer that shows pictures exactly."""
    scene = bpy.context.scene
    scene.name = "Edit"
    scene.render.resolution_x, scene.render.resolution_y = WIDTH, HEIGHT
    strip.show_exactly(scene)
    strips_of(scene)
    return scene


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("with_appearance", [True, False], ids=["appearance", "plain"])
def test_original_comes_back_exactly(edit, tmp_path, kind, with_appearance):
    """Every property of every strip, of what animates them and of what depends on them is what it was."""
    take = KINDS[kind](edit, tmp_path)
    adorn(edit, take)
    before, scenes = dump_sequencer(edit), len(bpy.data.scenes)
    result = replace_strip(take, content_of(take, tmp_path), with_appearance=with_appearance)
    assert dump_sequencer(edit) != before
    assert (find_original(result), find_result(take)) == (take, result)
    assert restore_strip(result) == take
    assert differences(before, dump_sequencer(edit)) == []
    assert len(bpy.data.scenes) == scenes


@pytest.mark.parametrize("kind", KINDS)
def test_result_is_where_the_original_was(edit, tmp_path, kind):
    """Channel, timing, handles, position, blending, modifiers, animation; effects and masks use it."""
    take = KINDS[kind](edit, tmp_path)
    adorn(edit, take)
    was = {name: getattr(take, name) for name in TIMING}
    copied = (*BLENDING, *(name for name in APPEARANCE if hasattr(take, name)), "modifiers")
    look = {name: dump_sequencer(edit)["strips"]["Take"][name] for name in copied}
    result = replace_strip(take, content_of(take, tmp_path), with_appearance=True)
    assert {name: getattr(result, name) for name in TIMING} == was
    assert differences(look, {name: dump_sequencer(edit)["strips"][result.name][name] for name in copied}) == []
    strips = strips_of(edit)
    assert strips["Blur"].input_1 == strips["Mix"].input_2 == strips["Below"].modifiers[0].input_mask_strip == result
    assert take.mute and take.channel not in {2, 3, 4}
    assert {name: getattr(take, name) for name in TIMING[:-1]} == {name: was[name] for name in TIMING[:-1]}
    assert [(other.name, other.channel) for other in strips if other.name in {"Before", "After"}] == [
        ("Before", 2),
        ("After", 2),
    ]
    for frame in (11, 15, 19):  # what animates the original animates the result
        edit.frame_set(frame)
        for value in ("blend_alpha", "transform.offset_y", "color_saturation"):
            assert result.path_resolve(value) == pytest.approx(take.path_resolve(value)), (frame, value)


@pytest.mark.parametrize("kind", KINDS)
def test_rendered_strip_is_its_frames(edit, tmp_path, kind):
    """What Blender renders in the strip's place is what the worker wrote, value for value; beside it nothing."""
    take = KINDS[kind](edit, tmp_path)
    replace_strip(take, content_of(take, tmp_path), with_appearance=False)
    first = 101 - 10 if kind == "SCENE" else 0
    for frame in (13, 16, 18):
        np.testing.assert_array_equal(render_still(edit, frame, tmp_path / "shown.png"), noise(first + frame))
    for frame in (12, 19):
        assert not render_still(edit, frame, tmp_path / "shown.png").any()


def test_effects_show_the_result(edit, tmp_path):
    """An effect strip over the original shows the frames in its place; after the restore the original again."""
    take = add_image(edit, tmp_path)
    glow = compat.new_effect(strips_of(edit), "Transform", "SPEED", 3, 13, 19, [take])
    glow.blend_type = "REPLACE"
    glow.speed_control, glow.speed_frame_number = "FRAME_NUMBER", 2
    before = render_still(edit, 16, tmp_path / "shown.png")
    result = replace_strip(take, content_of(take, tmp_path), with_appearance=True)
    shown = render_still(edit, 16, tmp_path / "shown.png")
    assert any(np.array_equal(shown, noise(frame)) for frame in range(13, 19))
    restore_strip(result)
    np.testing.assert_array_equal(render_still(edit, 16, tmp_path / "shown.png"), before)
    assert not np.array_equal(before, shown)


@pytest.mark.parametrize("animated", [False, True])
def test_opacity_counts_once(edit, tmp_path, animated):
    """A strip is rendered for stylising in full; its opacity, which the result has too, is not in the frames."""
    take = add_image(edit, tmp_path)
    take.blend_type, take.blend_alpha = "ALPHA_OVER", 0.5
    if animated:
        take.keyframe_insert("blend_alpha", frame=15)
    before, actions = dump_sequencer(edit), len(bpy.data.actions)
    render_strip(edit, "Take", range(15, 16), tmp_path / "alone", lambda *_: None)
    np.testing.assert_array_equal(read_png(tmp_path / "alone" / "0015.png"), noise(505))
    assert differences(before, dump_sequencer(edit)) == [] and len(bpy.data.actions) == actions


@pytest.mark.parametrize("kind", MODIFIERS)
def test_every_kind_of_modifier_comes_along(edit, tmp_path, kind):
    """With all its settings."""
    take = add_image(edit, tmp_path)
    modifier = compat.new_strip_modifier(take, kind, kind)
    if modifier is None:
        pytest.skip("for sound only")
    for prop in modifier.bl_rna.properties:
        if prop.type == "FLOAT" and not prop.is_array and not prop.is_readonly:
            setattr(modifier, prop.identifier, prop.hard_min * 0.5 + min(prop.hard_max, 1.0) * 0.5)
    if hasattr(modifier, "curve_mapping"):
        curve = modifier.curve_mapping.curves[0]
        while len(curve.points) > 2:
            curve.points.remove(curve.points[1])
        curve.points.new(0.3, 0.7)
        modifier.curve_mapping.update()
    if hasattr(modifier, "node_group"):
        modifier.node_group = bpy.data.node_groups.new("Look", "CompositorNodeTree")
        modifier.node_group.interface.new_socket("Amount", in_out="INPUT", socket_type="NodeSocketFloat")
        modifier.node_group.interface_update(bpy.context)
        if hasattr(modifier, "properties"):  # since 5.2
            modifier.properties.inputs.Socket_0.value = 0.75
    modifier.input_mask_type = "ID"
    modifier.input_mask_id = bpy.data.masks.new("Mask")
    before = dump_sequencer(edit)["strips"]["Take"]["modifiers"]
    result = replace_strip(take, content_of(take, tmp_path), with_appearance=True)
    assert differences(before, dump_sequencer(edit)["strips"][result.name]["modifiers"]) == []


def test_reversed_scene_strip(edit, tmp_path):
    """A strip that shows its scene backwards is replaced by the results in that order."""
    take = add_scene(edit, tmp_path)
    take.use_reverse_frames = True
    take.frame_offset_end = 1
    content = camera_content(take, pictures(tmp_path / "out", range(102, 110)))
    replace_strip(take, content, with_appearance=True)
    for frame, shown in ((13, 109), (20, 102)):
        np.testing.assert_array_equal(render_still(edit, frame, tmp_path / "shown.png"), noise(shown))


def test_inside_a_meta_strip(edit, tmp_path):
    """A strip inside a meta strip is replaced there."""
    meta = add_meta(edit, tmp_path)
    before = dump_sequencer(edit)
    inside = next(iter(meta.strips if hasattr(meta, "strips") else meta.sequences))
    content = shown_content(inside, pictures(tmp_path / "out", range(11, 21)))
    result = replace_strip(inside, content, with_appearance=True)
    assert result.parent_meta() == meta
    np.testing.assert_array_equal(render_still(edit, 15, tmp_path / "shown.png"), noise(15))
    restore_strip(inside)
    assert differences(before, dump_sequencer(edit)) == []


def test_restored_after_the_file_was_saved(edit, tmp_path):
    """The two find each other again in a file that was opened."""
    adorn(edit, add_image(edit, tmp_path))
    before = dump_sequencer(edit)
    replace_strip(strips_of(edit)["Take"], content_of(strips_of(edit)["Take"], tmp_path), with_appearance=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "with space é.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "with space é.blend"))
    edit = bpy.data.scenes["Edit"]
    strips_of(edit)["Take"].name = "Renamed"
    restore_strip(strips_of(edit)["Renamed"]).name = "Take"
    after = dump_sequencer(edit)
    assert after["strips"]["Take"].pop("directory") == "//plain/"  # Blender itself makes paths relative
    del before["strips"]["Take"]["directory"]
    assert differences(before, after) == []


def test_what_cannot_be_replaced_is_told(edit, tmp_path):
    """Nothing changes, and the sentence says why."""
    take = add_image(edit, tmp_path)
    with pytest.raises(BadJobError, match="'Take' shows frames 13 to 18 of the sequencer, but 13 to 17 were stylised"):
        shown_content(take, pictures(tmp_path / "out", range(13, 18)))
    content = content_of(take, tmp_path)
    result = replace_strip(take, content, with_appearance=True)
    with pytest.raises(BadJobError, match="replaced already"):
        replace_strip(take, content, with_appearance=True)
    strips_of(edit).remove(take)
    with pytest.raises(BadJobError, match="was deleted; there is nothing to restore"):
        restore_strip(result)
    other = add_image(edit, tmp_path)
    with pytest.raises(BadJobError, match="in its own place"):
        restore_strip(other)
    for channel in itertools.count(3):
        try:
            free_channel(strips_of(edit), 2, 10, 20)
        except BadJobError as error:
            assert "no channel above channel 2 is free" in str(error)
            break
        compat.new_effect(strips_of(edit), "Full", "COLOR", channel, 10, 20)


def test_changed_speed_of_a_scene_is_refused(edit, tmp_path):
    """Pictures of the scene's frames cannot follow a strip that shows them at another speed."""
    take = add_scene(edit, tmp_path)
    with in_sequencer(edit, take):
        bpy.ops.sequencer.retiming_segment_speed_set(speed=50.0)
    with pytest.raises(BadJobError, match="'Take' plays at another speed than its scene"):
        camera_content(take, pictures(tmp_path / "out", range(101, 113)))


def test_handles_of_a_long_film_are_kept_in_part(edit, tmp_path):
    """What is hidden behind a handle is no reason to list tens of thousands of files."""
    take = add_image(edit, tmp_path)
    still = strip.new_image_strip(edit, "Long", [tmp_path / "plain" / "plain_0.png"] * 2500, 0, 7)
    still.frame_offset_start = 2400
    still.frame_offset_end = 90
    content = shown_content(still, pictures(tmp_path / "out", range(2400, 2410)))
    assert (content.offset_start, content.offset_end) == (HANDLE_LIMIT, 90)
    result = replace_strip(still, content, with_appearance=True)
    assert (result.frame_final_start, result.frame_final_end) == (2400, 2410)
    assert take.channel == 2
