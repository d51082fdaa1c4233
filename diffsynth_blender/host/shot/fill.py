"""Settings of the protocol shown in the panel: the way back from `choices.py`.

Regions are left alone: settings name objects, the panel collections.
"""

from dataclasses import fields

import bpy

from ...protocol import CONTROL_KINDS, Attention, Control, Deflicker, KeyFrames, Reference, Settings
from ...protocol.looks import LookSettings
from .schedules import write_list


def fill_settings(chosen: bpy.types.PropertyGroup, settings: Settings) -> None:
    """Show settings such as those of an earlier job; look, regions, range and output stay, animation is left out."""
    # The model first: choosing another changes values that the rest then replaces.
    if settings.model == "demo":
        chosen.model = "DEMO"
    elif settings.model.lower().endswith(".safetensors"):
        chosen.model, chosen.model_file = "FILE", settings.model
    else:
        chosen.model, chosen.model_folder = "FOLDER", settings.model
    chosen.loras.clear()
    for lora in settings.loras:
        item = chosen.loras.add()
        item.path, item.weight = lora.path, lora.weight
    for name in ("prompt", "negative_prompt", "vae", "clip_skip", "hold_colours", "tiny_vae", "batch", "annotators"):
        setattr(chosen, name, getattr(settings, name))
    for name in ("sampler", "precision", "device"):
        setattr(chosen, name, getattr(settings, name).upper())
    # A seed of a command line may be larger than Blender's integers.
    chosen.seed = min(settings.seed, 2**31 - 1)
    chosen.noise.kind, chosen.noise.fresh = settings.noise.kind.upper(), settings.noise.fresh
    chosen.baseline = settings.baseline
    _fill_reference(chosen, settings.reference)
    _fill_key_frames(chosen, settings.key_frames)
    for field in fields(LookSettings):
        fill_look_value(chosen, field.name, getattr(settings, field.name))


def fill_look_value(chosen: bpy.types.PropertyGroup, name: str, value: object) -> None:
    """Show one of the values that a look decides: `name` is a field of LookSettings."""
    if name == "controls":
        _fill_controls(chosen, value)
    elif name == "attention":
        _fill_attention(chosen, value)
    elif name == "deflicker":
        _fill_deflicker(chosen, value)
    else:
        setattr(chosen, name, str(value) if name == "upscale" else value)


def _fill_controls(chosen: bpy.types.PropertyGroup, controls: tuple[Control, ...]) -> None:
    wanted = {control.kind: control for control in controls}
    for kind in CONTROL_KINDS:
        item = getattr(chosen.controls, kind)
        item.use = kind in wanted
        if item.use:
            control = wanted[kind]
            item.scale, item.start, item.end, item.model = control.scale, control.start, control.end, control.model
            if hasattr(item, "annotator"):
                item.annotator = control.annotator.upper() or "EXACT"


def _fill_attention(chosen: bpy.types.PropertyGroup, attention: Attention | None) -> None:
    chosen.use_attention = attention is not None
    if attention is not None:
        item = chosen.attention
        item.frames = {name.upper() for name in attention.frames if name != "self"}
        item.window, item.stride, item.motion = attention.window, attention.stride, attention.motion.upper()


def _fill_deflicker(chosen: bpy.types.PropertyGroup, deflicker: Deflicker | None) -> None:
    chosen.use_deflicker = deflicker is not None
    if deflicker is None:
        return
    item = chosen.deflicker
    item.interval, item.skip_last, item.final = deflicker.interval, deflicker.skip_last, deflicker.final
    item.along, item.steps = deflicker.along.upper(), write_list(deflicker.steps)
    for name, value in (("window", deflicker.window), ("strength", deflicker.strength)):
        if isinstance(value, tuple):
            setattr(item, f"{name}_schedule", write_list(value))
        else:
            setattr(item, name, value)
            setattr(item, f"{name}_schedule", "")
    item.use_schedule = bool(item.steps or item.window_schedule or item.strength_schedule)


def _fill_reference(chosen: bpy.types.PropertyGroup, reference: Reference | None) -> None:
    chosen.use_reference = reference is not None
    if reference is not None:
        chosen.reference_image, chosen.reference_attention = reference.image, reference.attention
        chosen.ip_adapter, chosen.ip_adapter_scale = reference.ip_adapter, reference.ip_adapter_scale


def _fill_key_frames(chosen: bpy.types.PropertyGroup, key_frames: KeyFrames | None) -> None:
    chosen.use_key_frames = key_frames is not None
    if key_frames is not None:
        chosen.key_frames.every, chosen.key_frames.repair = key_frames.every, key_frames.repair
