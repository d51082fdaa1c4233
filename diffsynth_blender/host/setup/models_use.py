"""Putting models that were fetched or found to use in a shot."""

from __future__ import annotations

from pathlib import Path

import bpy

from ...protocol.known_models import KNOWN_MODELS
from ..shot.choices import absolute
from .models_extras import known_file
from .models_needs import UNION_KINDS, model_path, needs_of


def use_fetched(scene: bpy.types.Scene, events: list[dict]) -> str:
    """Choose what was fetched where the shot lacks it; a model that the artist chose stays. Returns what was done."""
    paths: dict[str, str] = {}
    for event in events:
        paths.setdefault(event["model"], event["path"])  # the first file is the one that is loaded
    models = [(KNOWN_MODELS[name].kind, KNOWN_MODELS[name].controls, path) for name, path in paths.items()]
    return _use(scene, models, replace=False)


def use_found(scene: bpy.types.Scene, found: dict) -> str:
    """Choose one file that was found or imported, for what it is. Returns what was done; "" for nothing."""
    if found["kind"] == "base":
        scene.diffsynth.model_file = ""  # the artist means this one
        scene.diffsynth.model = "FILE"
    controls = UNION_KINDS if found["control"] == "union" else tuple(filter(None, [found["control"]]))
    return _use(scene, [(found["kind"], controls, found["path"])], replace=True)


def _use(scene: bpy.types.Scene, models: list[tuple[str, tuple[str, ...], str]], *, replace: bool) -> str:
    """Choose models, each given by its kind, its kinds of control, and its path.

    ControlNets that are there already give way where `replace` says so.
    """
    chosen = scene.diffsynth
    done = []
    for kind, _, path in models:
        current = model_path(chosen)
        if kind == "base" and (current is None or not current.exists()):
            chosen.model, chosen.model_file = "FILE", path
            done.append("model")
    lacking = needs_of(chosen).controls
    for kind, controls, path in models:
        if kind == "lora":
            done += _use_lora(chosen, path)
        elif kind == "ip_adapter" and (replace or _is_lost(chosen.ip_adapter)):
            chosen.ip_adapter = path
            done.append("IP-Adapter")
        elif kind == "vae" and chosen.model != "DEMO":
            chosen.vae = path
            done.append("VAE")
        elif kind == "tiny_vae":
            done.append("quick decoder")
        for control in controls if kind == "controlnet" else ():
            if control in lacking or replace:
                getattr(chosen.controls, control).model = path
                done.append(f"{control} control")
    return f"Now used: {', '.join(done)}" if done else ""


def _use_lora(chosen: bpy.types.PropertyGroup, path: str) -> list[str]:
    """In place of the same LoRA that is lost, else one more."""
    if path in [lora.path for lora in chosen.loras if not _is_lost(lora.path)]:
        return []
    known = known_file(path)
    lost = [
        lora for lora in chosen.loras if _is_lost(lora.path) and known is not None and known_file(lora.path) is known
    ]
    (lost[0] if lost else chosen.loras.add()).path = path
    return ["LoRA"]


def _is_lost(path: str) -> bool:
    return not path or not Path(absolute(path)).exists()
