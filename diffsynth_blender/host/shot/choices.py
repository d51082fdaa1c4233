"""The artist's choices as settings of the protocol, group by group; `fill.py` is the way back.

Numbers are rounded because properties are 32-bit: 0.8 would be stored as 0.800000011920929 in job.json.
"""

from pathlib import Path

import bpy

from ...protocol import (
    ATTENDED_FRAMES,
    CONTROL_KINDS,
    Attention,
    BadJobError,
    Control,
    Deflicker,
    KeyFrames,
    Lora,
    Noise,
    Reference,
    Settings,
)
from ...protocol.looks import LookSettings
from .regions import regions
from .schedules import read_list


def decimal(value: float) -> float:
    """A 32-bit number as its author wrote it."""
    return round(value, 6)


def absolute(path: str) -> str:
    """A path as Blender writes it, the way the worker wants it; "" for none."""
    return str(Path(bpy.path.abspath(path)).resolve()) if path else ""


def read_settings(chosen: bpy.types.PropertyGroup, scales: dict[str, tuple[float, ...]]) -> Settings:
    """Everything, complete or not.

    Args:
        chosen: the artist's choices.
        scales: values along the shot by path, see `animation.sample`; the first counts where one value is wanted.

    Raises BadJobError where a choice cannot be; names it as the panel does.
    """
    guidance = scales.get("guidance_scale", (chosen.guidance_scale,))[0]
    return Settings(
        prompt=chosen.prompt,
        negative_prompt=chosen.negative_prompt,
        model=_model(chosen),
        vae="" if chosen.model == "DEMO" else absolute(chosen.vae),
        loras=tuple(_lora(lora, place) for place, lora in enumerate(chosen.loras, 1)),
        clip_skip=chosen.clip_skip,
        sampler=chosen.sampler.lower(),
        seed=chosen.seed,
        steps=chosen.steps,
        strength=decimal(chosen.strength),
        guidance_scale=decimal(guidance),
        noise=Noise(chosen.noise.kind.lower(), decimal(chosen.noise.fresh)),
        attention=read_attention(chosen),
        controls=read_controls(chosen, scales),
        reference=_reference(chosen),
        regions=regions(chosen),
        keep_rest=chosen.keep_rest,
        deflicker=read_deflicker(chosen, scales),
        hold_colours=decimal(chosen.hold_colours),
        key_frames=KeyFrames(chosen.key_frames.every, chosen.key_frames.repair) if chosen.use_key_frames else None,
        upscale=int(chosen.upscale),
        tiny_vae=chosen.tiny_vae,
        precision=chosen.precision.lower(),
        batch=chosen.batch,
        annotators=absolute(chosen.annotators),
        device=chosen.device.lower(),
        baseline=chosen.baseline,
    )


def read_attention(chosen: bpy.types.PropertyGroup) -> Attention | None:
    """Which frames look at which. Raises BadJobError where windows would leave frames out."""
    if not chosen.use_attention:
        return None
    attention = chosen.attention
    if attention.stride > attention.window:
        raise BadJobError(
            f"the frames' Stride of {attention.stride} leaves frames out between windows of {attention.window}; make "
            "Stride smaller, or Window larger"
        )
    frames = tuple(name for name in ATTENDED_FRAMES if name == "self" or name.upper() in attention.frames)
    return Attention(frames, attention.window, attention.stride, attention.motion.lower())


def read_controls(chosen: bpy.types.PropertyGroup, scales: dict[str, tuple[float, ...]]) -> tuple[Control, ...]:
    """The controls that count anywhere in the shot. Raises BadJobError where one's steps are none."""
    controls = []
    for kind in CONTROL_KINDS:
        control = getattr(chosen.controls, kind)
        values = scales.get(f"controls.{kind}.scale", (control.scale,))
        if not control.use or not any(values):
            continue
        if control.start >= control.end:
            label = chosen.controls.bl_rna.properties[kind].name
            raise BadJobError(f"the control {label} begins where it ends; make Steps From smaller than To")
        annotator = getattr(control, "annotator", "EXACT")
        controls.append(
            Control(
                kind,
                decimal(values[0]),
                decimal(control.start),
                decimal(control.end),
                absolute(control.model),
                "" if annotator == "EXACT" else annotator.lower(),
            )
        )
    return tuple(controls)


def read_deflicker(chosen: bpy.types.PropertyGroup, scales: dict[str, tuple[float, ...]]) -> Deflicker | None:
    """How frames are held steady. Raises BadJobError where a schedule is not one."""
    if not chosen.use_deflicker:
        return None
    steady = chosen.deflicker
    texts = (steady.window_schedule, steady.strength_schedule, steady.steps) if steady.use_schedule else ("", "", "")
    windows = read_list(texts[0], int, "Windows", 0, 1000, "8, 4, 1")
    strengths = read_list(texts[1], float, "Strengths", 0, 1, "1, 0.5")
    steps = read_list(texts[2], int, "Steps", 0, 999, "2, 6, 10")
    if list(steps) != sorted(set(steps)):
        raise BadJobError(f"Steps of the deflickering is {texts[2]!r}; write rising numbers such as 2, 6, 10")
    strength = decimal(scales.get("deflicker.strength", (steady.strength,))[0])
    return Deflicker(
        interval=steady.interval,
        skip_last=steady.skip_last,
        steps=steps,
        window=_one_or_more(windows, steady.window),
        strength=_one_or_more(strengths, strength),
        final=steady.final,
        along=steady.along.lower(),
    )


def read_look(chosen: bpy.types.PropertyGroup) -> LookSettings:
    """What a look decides, as the artist has it now. Raises BadJobError where a choice cannot be."""
    return LookSettings(
        strength=decimal(chosen.strength),
        steps=chosen.steps,
        guidance_scale=decimal(chosen.guidance_scale),
        controls=read_controls(chosen, {}),
        attention=read_attention(chosen),
        deflicker=read_deflicker(chosen, {}),
        keep_rest=chosen.keep_rest,
        upscale=int(chosen.upscale),
    )


def _one_or_more(schedule: tuple, value: float) -> float | tuple:
    """A schedule of at least two values, else one value."""
    return schedule if len(schedule) > 1 else schedule[0] if schedule else value


def _model(chosen: bpy.types.PropertyGroup) -> str:
    if chosen.model == "DEMO":
        return "demo"
    path = chosen.model_folder if chosen.model == "FOLDER" else chosen.model_file
    if not path:
        name = chosen.bl_rna.properties["model_folder" if chosen.model == "FOLDER" else "model_file"].name
        raise BadJobError(f"no {name.lower()} is chosen; set {name}, or take the demo model")
    return absolute(path)


def _lora(lora: bpy.types.PropertyGroup, place: int) -> Lora:
    if not lora.path:
        raise BadJobError(f"LoRA {place} has no file; choose one, or remove it from the list")
    return Lora(absolute(lora.path), decimal(lora.weight))


def _reference(chosen: bpy.types.PropertyGroup) -> Reference | None:
    """None also where no picture is chosen: what a look needs is checked apart."""
    if not (chosen.use_reference and chosen.reference_image):
        return None
    return Reference(
        absolute(chosen.reference_image),
        chosen.reference_attention,
        absolute(chosen.ip_adapter),
        decimal(chosen.ip_adapter_scale),
    )
