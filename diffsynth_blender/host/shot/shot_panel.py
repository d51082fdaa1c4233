"""What the panels of a shot have in common: they are in Render properties, below one main panel."""

import bpy


class ShotPanel:
    """A mix-in: where a panel of the shot is, and how its rows look."""

    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "render"

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.use_property_split = True
        self.draw_shot(self.layout, context, context.scene.diffsynth)

    def draw_shot(
        self, layout: bpy.types.UILayout, context: bpy.types.Context, chosen: bpy.types.PropertyGroup
    ) -> None:
        """What is in the panel; `chosen` is `scene.diffsynth`."""
        raise NotImplementedError


class ShotSubPanel(ShotPanel):
    """A mix-in: a panel that is closed until somebody opens it."""

    bl_parent_id = "DIFFSYNTH_PT_stylise"
    bl_options = {"DEFAULT_CLOSED"}


class SwitchedPanel(ShotSubPanel):
    """A mix-in: a sub-panel with a switch in its header, and grey rows while that is off."""

    switch = ""
    """The property of `scene.diffsynth` that the header shows."""

    def draw_header(self, context: bpy.types.Context) -> None:
        self.layout.prop(context.scene.diffsynth, self.switch, text="")

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.active = getattr(context.scene.diffsynth, self.switch)
        super().draw(context)
