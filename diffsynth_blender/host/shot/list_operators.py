"""The buttons beside lists, and the one beside the seed."""

import random

import bpy

from ..button import Button


class ListButton:
    """A mix-in: changes one of the lists of `scene.diffsynth`."""

    bl_options = {"REGISTER", "UNDO"}
    items = ""
    """The list."""
    active = ""
    """The number of its active item."""


class AddButton(ListButton):
    """A mix-in: adds an item and makes it the active one."""

    def execute(self, context: bpy.types.Context) -> set[str]:
        chosen = context.scene.diffsynth
        items = getattr(chosen, self.items)
        items.add()
        setattr(chosen, self.active, len(items) - 1)
        return {"FINISHED"}


class RemoveButton(ListButton, Button):
    """A mix-in: removes the active item."""

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        return "" if getattr(context.scene.diffsynth, cls.items) else "The list is empty"

    def execute(self, context: bpy.types.Context) -> set[str]:
        chosen = context.scene.diffsynth
        items = getattr(chosen, self.items)
        # Items removed from the end by a script leave the number of the active one beyond it.
        place = min(getattr(chosen, self.active), len(items) - 1)
        items.remove(place)
        setattr(chosen, self.active, max(0, place - 1))
        return {"FINISHED"}


class DIFFSYNTH_OT_lora_add(AddButton, bpy.types.Operator):
    """Add a LoRA."""

    bl_idname = "diffsynth.lora_add"
    bl_label = "Add LoRA"
    bl_description = "Add a LoRA to the model"
    items, active = "loras", "active_lora"


class DIFFSYNTH_OT_lora_remove(RemoveButton, bpy.types.Operator):
    """Remove a LoRA."""

    bl_idname = "diffsynth.lora_remove"
    bl_label = "Remove LoRA"
    bl_description = "Remove the chosen LoRA from the model"
    items, active = "loras", "active_lora"


class DIFFSYNTH_OT_region_add(AddButton, bpy.types.Operator):
    """Add a region."""

    bl_idname = "diffsynth.region_add"
    bl_label = "Add Region"
    bl_description = "Add objects with a prompt of their own"
    items, active = "regions", "active_region"


class DIFFSYNTH_OT_region_remove(RemoveButton, bpy.types.Operator):
    """Remove a region."""

    bl_idname = "diffsynth.region_remove"
    bl_label = "Remove Region"
    bl_description = "Remove the chosen region; its objects stay as they are"
    items, active = "regions", "active_region"


class DIFFSYNTH_OT_new_seed(bpy.types.Operator):
    """Draw another seed."""

    bl_idname = "diffsynth.new_seed"
    bl_label = "Another Seed"
    bl_description = "Draw another seed: another variation of the same"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.scene.diffsynth.seed = random.randrange(2**31)
        return {"FINISHED"}


CLASSES = (
    DIFFSYNTH_OT_lora_add,
    DIFFSYNTH_OT_lora_remove,
    DIFFSYNTH_OT_region_add,
    DIFFSYNTH_OT_region_remove,
    DIFFSYNTH_OT_new_seed,
)
