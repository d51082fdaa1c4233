"""Drawing only: models in the preferences, and what a shot lacks above its button."""

from __future__ import annotations

import bpy

from ..shot.panel_text import draw_text
from .models_needs import needs_of
from .models_properties import DiffsynthModels, models_folder
from .panel import draw_run

DOWNLOAD, IMPORT = "diffsynth.model_download", "diffsynth.model_import"


def draw_models(layout: bpy.types.UILayout, chosen: DiffsynthModels) -> None:
    """Choices, and the button for files of one's own."""
    layout.label(text="Models", icon="OUTLINER_OB_VOLUME")
    column = layout.column()
    column.use_property_split = True
    for name in ("folder", "family", "endpoint", "token"):
        column.prop(chosen, name)
    if not chosen.folder:
        layout.label(text=f"In {models_folder()}")
    row = layout.row()
    row.operator(DOWNLOAD, text="Fetch What the Look Needs", icon="IMPORT").for_look = True
    row.operator(IMPORT, icon="FILE_FOLDER")


def draw_needs(layout: bpy.types.UILayout, context: bpy.types.Context, chosen: bpy.types.PropertyGroup) -> None:
    """What the shot lacks, with the button that fetches it; nothing where all is there."""
    needs = needs_of(chosen)
    if not needs.sentence:
        return
    box = layout.box()
    draw_text(box, context, needs.sentence, "ERROR")
    if not draw_run(box, context):
        row = box.row(align=True)
        row.operator(DOWNLOAD, text="Fetch What Is Missing", icon="IMPORT")
        row.operator(IMPORT, text="", icon="FILE_FOLDER")


def draw_offer(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """For who has the demo model: the model that does all of the look."""
    if not draw_run(layout, context):
        layout.operator(DOWNLOAD, text="Get a Full Model for This Look", icon="IMPORT").for_look = True
