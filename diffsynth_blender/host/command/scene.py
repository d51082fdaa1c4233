"""What a command line takes from the open scene: the scene itself, its job folder, its frames and its settings.

Settings saved in the .blend are used; whatever the command line gives comes in their place.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import bpy

from ...protocol import Animation, BadJobError, Reference, Region, Settings, change_settings
from ...protocol.fields import JsonObject
from ...protocol.looks import DEFAULT_LOOK, apply_look, check_look
from ...protocol.reading import read_json
from ...protocol.settings_reading import decode_settings
from .. import saved
from ..shot import properties

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
    if saved.choices(scene) is None:
        raise BadJobError("no job folder is given; write --output DIR")
    return saved.job_folder(scene)


def frames_of(options: argparse.Namespace) -> range:
    """The scene frames: as given, else those that the artist chose. Raises BadJobError for a step below 1."""
    start, end, step = saved.frame_range(scene_of(options))
    start, end = options.frames or (start, end)
    step = step if options.step is None else options.step
    if step < 1:
        raise BadJobError(f"--step {step} leads nowhere; write 1 for every frame, 2 for every second one")
    return range(start, end + 1, step)


def settings_of(options: argparse.Namespace) -> Settings:
    """How the shot is restyled. Raises BadJobError naming what is missing or cannot be."""
    settings, look = _saved_settings(options)
    settings = replace(settings, animation=_not_given(settings.animation, options))
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
    # Without regions there is no rest to keep.
    settings = change_settings(
        replace(settings, keep_rest=settings.keep_rest and bool(settings.regions)), options.changes
    )
    if not settings.prompt.strip():
        raise BadJobError("the prompt is empty; give --prompt, or set it in the scene")
    return replace(settings, baseline=settings.baseline or options.baseline)


def _saved_settings(options: argparse.Namespace) -> tuple[Settings, str]:
    """Settings and look, complete or not, that the other options change: of the file that is given, else the scene."""
    if options.settings is not None:
        file = options.settings
        value = {"settings": read_json(file, remedy="give a file with settings as in job.json")}
        return decode_settings(JsonObject(value, str(file), "", ("settings",)), "settings"), DEFAULT_LOOK
    chosen = saved.choices(scene_of(options))
    if chosen is None:
        return Settings(prompt=""), DEFAULT_LOOK
    return properties.incomplete_settings(chosen, frames_of(options)), properties.look_name(chosen)


def _not_given(animations: tuple[Animation, ...], options: argparse.Namespace) -> tuple[Animation, ...]:
    """The keyframed settings without those that the command line gives a value of its own."""
    if options.look is not None:
        return ()
    given = {change.partition("=")[0].strip() for change in options.changes}
    given |= {"guidance_scale"} if options.guidance_scale is not None else set()
    given |= {"deflicker"} if options.window == 0 else set()
    return tuple(a for a in animations if not any(f"{a.key}.".startswith(f"{key}.") for key in given))
