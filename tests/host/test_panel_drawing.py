"""The panels are drawn without an error in every state, and between them they show every setting."""

import bpy
import pytest

from diffsynth_blender.host import addon
from diffsynth_blender.protocol import CONTROL_KINDS
from diffsynth_blender.protocol.looks import LOOKS
from tests.host.drawing import draw, drawn_properties
from tests.host.shots import make_shot

PANELS = [
    cls for cls in addon.CLASSES if issubclass(cls, bpy.types.Panel) and getattr(cls, "bl_context", "") == "render"
]
GROUPS = ("attention", "noise", "key_frames", "deflicker")
NOT_SHOWN = {
    "rna_type",
    "name",
    # The artist reaches these as lists, whose items are shown.
    "loras",
    "regions",
    # What of the panel itself is remembered.
    "filled_for_demo",
    "kinds",
}


@pytest.fixture
def scene():
    """A small shot in a Blender that has the add-on."""
    addon.register()
    yield make_shot(width=32, height=24)
    addon.unregister()


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("model", ["DEMO", "FOLDER", "FILE"])
def test_every_panel_is_drawn_in_every_state(scene, look, model):
    """Whatever is chosen, Blender can draw all panels."""
    chosen = scene.diffsynth
    chosen.look, chosen.model = look.upper(), model
    bpy.ops.diffsynth.lora_add()
    bpy.ops.diffsynth.region_add()
    for panel in PANELS:
        assert draw(panel), panel


def test_every_setting_can_be_reached(scene):
    """No property is there for scripts only."""
    chosen = scene.diffsynth
    chosen.use_own_range = True
    chosen.regions.add()
    chosen.loras.add()
    shown = set()
    for model in ("DEMO", "FOLDER", "FILE"):
        chosen.model = model
        for panel in PANELS:
            shown |= drawn_properties(panel)
    for number in range(len(CONTROL_KINDS)):
        chosen.active_control = number
        shown |= drawn_properties(bpy.types.DIFFSYNTH_PT_controls)
    chosen.active_control, chosen.controls.depth.annotator = 0, "MIDAS"
    shown |= drawn_properties(bpy.types.DIFFSYNTH_PT_controls)
    groups = [chosen, chosen.loras[0], chosen.regions[0]]
    groups += [getattr(chosen, name) for name in GROUPS]
    groups += [getattr(chosen.controls, prop.identifier) for prop in pointers(chosen.controls)]
    for group in groups:
        names = {prop.identifier for prop in group.bl_rna.properties if prop not in pointers(group)} - NOT_SHOWN
        assert {f"{group.bl_rna.identifier}.{name}" for name in names} - shown == set()


def pointers(group: bpy.types.PropertyGroup) -> list[bpy.types.Property]:
    """Properties that are groups themselves."""
    return [prop for prop in group.bl_rna.properties if is_group(prop)]


def is_group(prop: bpy.types.Property) -> bool:
    """Whether a property is a pointer to a group of properties of ours."""
    return prop.type == "POINTER" and prop.fixed_type.base == bpy.types.PropertyGroup.bl_rna


def test_a_strip_as_source_has_no_passes(scene):
    """The panel says so before anything is rendered, and only where it matters."""
    chosen = scene.diffsynth

    def hints():
        return [item for item in draw(bpy.types.DIFFSYNTH_PT_controls) if "no passes" in item.get("draw_string", "")]

    assert not hints()
    chosen.source.kind = "STRIP"
    assert hints()
    chosen.controls.depth.annotator = "MIDAS"
    assert not hints()
