"""Presets of a shot's look with Blender's own menu: saved, loaded, removed, and everything back as it was at first.

They lie where all presets of the user lie, in presets/diffsynth. What belongs to one file or machine is not in them:
source, range, output, regions, device.
"""

from collections.abc import Iterator
from pathlib import Path

import bpy
from bl_operators.presets import AddPresetBase
from bl_ui.utils import PresetPanel

SUBFOLDER = "diffsynth"
SHIPPED = Path(__file__).resolve().parent / "shipped"
"""The folder of the presets that come with the extension."""

OF_THE_FILE = {
    "name",
    "rna_type",
    "source",
    "result",
    "jobs",
    "regions",
    "use_regions",
    "use_own_range",
    "frame_start",
    "frame_end",
    "frame_step",
    "output_folder",
    "reuse_capture",
    "device",
    "active_control",
    "active_lora",
    "active_region",
}
"""What of `scene.diffsynth` no preset holds."""

FIRST = ("look", "model")
"""These set others, so a preset sets them before the others."""

MODEL = {"model", "model_folder", "model_file", "filled_for_demo", "loras"}
"""What a preset that does not name it leaves alone: those that ship are for any model."""


class DIFFSYNTH_OT_preset_add(AddPresetBase, bpy.types.Operator):
    """Save or remove a preset."""

    bl_idname = "diffsynth.preset_add"
    bl_label = "Add Preset"
    bl_description = "Save look, prompt, model and everything that belongs to them under a name, or remove a preset"
    preset_menu = "DIFFSYNTH_PT_presets"
    preset_subdir = SUBFOLDER

    def add(self, context: bpy.types.Context, filepath: str) -> None:
        """Write the preset; Blender's own way would keep paths that mean nothing in another file."""
        lines = ["import bpy", "chosen = bpy.context.scene.diffsynth", *_lines(context.scene.diffsynth, "chosen")]
        Path(filepath).write_text("\n".join(lines) + "\n", encoding="utf-8")

    def remove(self, context: bpy.types.Context, filepath: str) -> None:
        """Remove the preset, if it is the user's: Blender knows the others only where the package is an extension."""
        if Path(filepath).is_relative_to(SHIPPED):
            self.report({"WARNING"}, "This preset comes with the extension and stays")
        else:
            Path(filepath).unlink()


class DIFFSYNTH_OT_preset_load(bpy.types.Operator):
    """Load a preset, as one step of undo."""

    bl_idname = "diffsynth.preset_load"
    bl_label = "Load Preset"
    bl_description = "Set everything to what was saved under this name"
    bl_options = {"REGISTER", "UNDO"}

    filepath: bpy.props.StringProperty(
        name="File", description="The preset", subtype="FILE_PATH", options={"SKIP_SAVE"}
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        if not Path(self.filepath).is_file():
            self.report({"ERROR"}, f"{self.filepath}: no such preset; choose one from the menu")
            return {"CANCELLED"}
        return bpy.ops.script.execute_preset(filepath=self.filepath, menu_idname="DIFFSYNTH_PT_presets")


class DIFFSYNTH_OT_reset(bpy.types.Operator):
    """Set everything back."""

    bl_idname = "diffsynth.reset"
    bl_label = "Reset to Defaults"
    bl_description = "Set look, prompt, model and everything that belongs to them to what a new scene has"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        reset(context.scene.diffsynth, ())
        DIFFSYNTH_PT_presets.bl_label = "Presets"
        return {"FINISHED"}


class DIFFSYNTH_PT_presets(PresetPanel, bpy.types.Panel):
    """The menu in the main panel's header."""

    bl_label = "Presets"
    bl_description = "Look, prompt, model and everything that belongs to them, saved under a name"
    preset_subdir = SUBFOLDER
    preset_operator = "diffsynth.preset_load"
    preset_add_operator = "diffsynth.preset_add"

    def draw(self, context: bpy.types.Context) -> None:
        PresetPanel.draw(self, context)
        self.layout.separator()
        self.layout.operator(DIFFSYNTH_OT_reset.bl_idname, icon="LOOP_BACK")

    @staticmethod
    def reset_cb(context: bpy.types.Context, filepath: str) -> None:
        """Called by Blender before a preset is loaded: what it does not name is as in a new scene."""
        reset(context.scene.diffsynth, MODEL)


def reset(chosen: bpy.types.PropertyGroup, kept: set[str]) -> None:
    """Set what presets hold to its defaults, but for some properties."""
    for name, prop in chosen.bl_rna.properties.items():
        if name in OF_THE_FILE or name in kept:
            continue
        if prop.type == "COLLECTION":
            getattr(chosen, name).clear()
        elif prop.type == "POINTER":
            reset(getattr(chosen, name), set())
        else:
            chosen.property_unset(name)


def _lines(group: bpy.types.PropertyGroup, path: str) -> Iterator[str]:
    """Statements that set a group to what it is now."""
    properties = group.bl_rna.properties
    names = [name for name in FIRST if name in properties and path == "chosen"]
    names += [name for name in properties.keys() if name not in names and name not in OF_THE_FILE]
    for name in names:
        value, place = getattr(group, name), f"{path}.{name}"
        if properties[name].type == "POINTER":
            yield from _lines(value, place)
        elif properties[name].type == "COLLECTION":
            yield f"{place}.clear()"
            for number, item in enumerate(value):
                yield f"{place}.add()"
                yield from _lines(item, f"{place}[{number}]")
        elif properties[name].subtype in {"FILE_PATH", "DIR_PATH"}:
            yield f"{place} = {bpy.path.abspath(value)!r}"
        else:
            yield f"{place} = {value!r}"


CLASSES = (DIFFSYNTH_OT_preset_add, DIFFSYNTH_OT_preset_load, DIFFSYNTH_OT_reset, DIFFSYNTH_PT_presets)


def register() -> None:
    """Show the presets that come with the extension among the user's."""
    bpy.utils.register_preset_path(str(SHIPPED))


def unregister() -> None:
    """Take them away again."""
    bpy.utils.unregister_preset_path(str(SHIPPED))
