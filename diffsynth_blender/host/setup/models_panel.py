"""Drawing only: models in the preferences, and what a shot lacks above its button."""

from __future__ import annotations

import bpy

from ...protocol.known_models import KNOWN_MODELS
from ..shot.panel_text import draw_text
from .models_extras import few_steps
from .models_needs import needs_of
from .models_properties import DiffsynthModels, models_folder, preferred_family
from .panel import draw_run

DOWNLOAD, IMPORT, FEW_STEPS = "diffsynth.model_download", "diffsynth.model_import", "diffsynth.lora_few_steps"


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
    if not (needs.sentence or needs.advice):
        return
    box = layout.box()
    for text, icon in ((needs.sentence, "ERROR"), (needs.advice, "INFO")):
        if text:
            draw_text(box, context, text, icon)
    if not draw_run(box, context):
        row = box.row(align=True)
        if needs.can_be_fetched:
            row.operator(DOWNLOAD, text="Fetch What Is Missing", icon="IMPORT")
        row.operator(IMPORT, text="" if needs.can_be_fetched else "Import Model", icon="FILE_FOLDER")


def draw_few_steps(layout: bpy.types.UILayout, context: bpy.types.Context, chosen: bpy.types.PropertyGroup) -> None:
    """One click for what the few-step LoRA in the list wants; or, where there is none, the one that gets one."""
    found = next(filter(None, map(few_steps, chosen.loras)), None)
    if found is None:
        _draw_get(layout, context, f"{_family_of(chosen)}-lcm")
    elif (chosen.sampler, chosen.steps) != (found.sampler.upper(), found.steps):
        draw_text(layout, context, f"This LoRA is made for {found.steps} steps with {found.sampler.upper()}", "INFO")
        layout.operator(FEW_STEPS, icon="CHECKMARK")


def draw_ip_adapter(layout: bpy.types.UILayout, context: bpy.types.Context, chosen: bpy.types.PropertyGroup) -> None:
    """The button that gets an IP-Adapter, where there is none."""
    if not chosen.ip_adapter and chosen.model != "DEMO":
        _draw_get(layout, context, f"{_family_of(chosen)}-ip-adapter")


def _draw_get(layout: bpy.types.UILayout, context: bpy.types.Context, name: str) -> None:
    if name in KNOWN_MODELS and not draw_run(layout, context):
        layout.operator(DOWNLOAD, text=f"Get {KNOWN_MODELS[name].label}", icon="IMPORT").names = name


def _family_of(chosen: bpy.types.PropertyGroup) -> str:
    return needs_of(chosen).family or preferred_family()


def draw_offer(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """For who has the demo model: the model that does all of the look."""
    if not draw_run(layout, context):
        layout.operator(DOWNLOAD, text="Get a Full Model for This Look", icon="IMPORT").for_look = True
