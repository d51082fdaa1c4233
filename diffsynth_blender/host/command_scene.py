"""What a command line takes from the open scene: the scene itself, its job folder, its frames and its settings.

Settings saved in the .blend are used; whatever the command line gives comes in their place.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import bpy

from ..protocol import BadJobError, Reference, Region, Settings, change_settings
from ..protocol.looks import DEFAULT_LOOK, apply_look, check_look
from . import properties

_NAMED = ("prompt", "negative_prompt", "seed", "steps", "strength", "guidance_scale", "device")
"""Settings with an option of their own that has their name."""


def scene_of(options: argparse.Namespace) -> bpy.types.Scene:
    """The scene to work on. Looked up anew each time: rendering may replace Blender's data."""
    if options.scene is None:
        return bpy.context.scene
    scene = bpy.data.scenes.get(options.scene)
    if scene is None:
        names = ", ".join(repr(scene.name) for scene in bpy.data.scenes)
        raise BadJobError(f"no scene is called {options.scene!r}; this file has {names}")
    return scene


def job_folder_of(options: argparse.Namespace) -> Path:
    """The job folder: as given, else the scene's own. Raises BadJobError where neither says."""
    if options.output is not None:
        return options.output
    scene = scene_of(options)
    if _saved(scene) is None:
        raise BadJobError("no job folder is given; write --output DIR")
    return properties.job_folder(scene).resolve()


def frames_of(options: argparse.Namespace) -> range:
    """The scene frames: as given, else those that the artist chose. Raises BadJobError for a step below 1."""
    scene = scene_of(options)
    if _saved(scene) is None:
        start, end, step = scene.frame_start, scene.frame_end, scene.frame_step
    else:
        start, end, step = properties.frame_range(scene)
    start, end = options.frames or (start, end)
    step = step if options.step is None else options.step
    if step < 1:
        raise BadJobError(f"--step {step} leads nowhere; write 1 for every frame, 2 for every second one")
    return range(start, end + 1, step)


def settings_of(options: argparse.Namespace) -> Settings:
    """How the shot is restyled. Raises BadJobError naming what is missing or cannot be."""
    chosen = _saved(scene_of(options))
    settings = properties.incomplete_settings(chosen) if chosen else Settings(prompt="")
    look = properties.look_name(chosen) if chosen else DEFAULT_LOOK
    if options.reference is not None:
        settings = replace(settings, reference=Reference(str(options.reference)))
    if options.objects:
        settings = replace(settings, regions=(Region(tuple(options.objects), options.objects_prompt),))
    if options.model is not None:
        settings = replace(settings, model=options.model)
    if options.look is not None:
        look = options.look
        settings = apply_look(settings, look)
    check_look(settings, look)
    for name in _NAMED:
        value = getattr(options, name)
        if value is not None:
            settings = replace(settings, **{name: value})
    if options.window is not None:
        settings = replace(settings, deflicker=properties.to_deflicker(options.window, settings.deflicker))
    settings = change_settings(settings, options.changes)
    if not settings.prompt.strip():
        raise BadJobError("the prompt is empty; give --prompt, or set it in the scene")
    return replace(settings, baseline=settings.baseline or options.baseline)


def _saved(scene: bpy.types.Scene) -> bpy.types.PropertyGroup | None:
    """What the artist chose in the panel; None where the add-on is not registered, as in a plain import."""
    return getattr(scene, "diffsynth", None)
