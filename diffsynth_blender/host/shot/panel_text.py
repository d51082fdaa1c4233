"""Text in panels: whole sentences, which Blender's own layout would cut off."""

import textwrap

import bpy


def draw_text(layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str = "NONE") -> None:
    """A sentence over as many lines as it needs; a label alone would cut it off."""
    # A letter of the interface's font is about 7 px wide at scale 1; the icon and margins take about 60 px.
    scale = context.preferences.system.ui_scale or 1.0  # 0 until a first window is drawn
    width = int((context.region.width - 60) / (7 * scale))
    column = layout.column(align=True)
    for number, line in enumerate(textwrap.wrap(text, max(20, width))):
        column.label(text=line, icon=icon if number == 0 else "BLANK1")


def draw_sentence(layout: bpy.types.UILayout, owner: bpy.types.PropertyGroup, name: str) -> None:
    """A text property over the panel's whole width: half of it, as is usual, shows two words of a prompt."""
    column = layout.column(align=True)
    column.use_property_split = False
    column.label(text=owner.bl_rna.properties[name].name)
    column.prop(owner, name, text="")
