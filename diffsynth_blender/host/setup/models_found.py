"""What a look through another program's folder has found, and its list in the preferences."""

from __future__ import annotations

from pathlib import Path

import bpy

from ...protocol.known_model import FAMILY_LABELS
from ..shot.panel_text import draw_text

SCAN, USE = "diffsynth.model_scan", "diffsynth.model_use"
SHOWN = 40
"""Rows of the list."""
KIND_LABELS = {
    "base": "Model",
    "controlnet": "ControlNet",
    "lora": "LoRA",
    "vae": "VAE",
    "tiny_vae": "Tiny VAE",
    "ip_adapter": "IP-Adapter",
    "image_encoder": "Image encoder",
}
USABLE = ("base", "controlnet", "lora", "vae", "ip_adapter")
"""Kinds that a shot can be given by a path."""

found: list[dict] = []
"""What the last look found, as the worker's `scan` tells it."""


def draw_found(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The button that looks, and what was found: with a button what can be used, with a sentence what misleads."""
    layout.operator(SCAN, icon="VIEWZOOM")
    for one in found[:SHOWN]:
        row = layout.row()
        what = " ".join(filter(None, (FAMILY_LABELS.get(one["family"], ""), one["control"])))
        kind = KIND_LABELS.get(one["kind"], "Unusable")
        row.label(text=f"{Path(one['path']).name}: {kind} {what}".rstrip(), icon="FILE" if one["kind"] else "ERROR")
        if one["kind"] in USABLE:
            row.operator(USE).path = one["path"]
        if one["remark"]:
            draw_text(layout, context, one["remark"], "BLANK1")
    if len(found) > SHOWN:
        layout.label(text=f"and {len(found) - SHOWN} more")
