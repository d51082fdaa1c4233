"""What the artist chose for a shot, as the rest of the host asks for it: settings, look, range, folder."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import bpy
from bpy.props import PointerProperty

from ...protocol import Animation, BadJobError, Deflicker, Settings
from ...protocol.looks import check_look
from ..folder_name import folder_name
from . import animation, control_properties, frame_properties, model_properties, shot_properties, steady_properties
from .choices import read_settings
from .shot_properties import DiffsynthSettings


def to_settings(chosen: DiffsynthSettings, frames: Sequence[int] = ()) -> Settings:
    """The part of job.json that the artist chooses.

    Args:
        chosen: the artist's choices, `scene.diffsynth`.
        frames: scene frames of the shot, whose keyframed values are wanted; without them, the values of the moment.
            With frames, this must not be called while drawing: it evaluates a copy of the scene's animation.

    Raises BadJobError when a choice is incomplete.
    """
    settings = incomplete_settings(chosen, frames)
    check_look(settings, look_name(chosen))
    # Without regions there is no rest to keep.
    return replace(settings, keep_rest=settings.keep_rest and bool(settings.regions))


def incomplete_settings(chosen: DiffsynthSettings, frames: Sequence[int] = ()) -> Settings:
    """As `to_settings`, where a command line may yet add what the look needs."""
    samples = animation.sample(chosen.id_data, frames) if frames else {}
    settings = read_settings(chosen, samples)
    return replace(settings, animation=_used(animation.animations(samples, frames), settings))


def look_name(chosen: DiffsynthSettings) -> str:
    """The look as scripts call it."""
    return chosen.look.lower()


def to_deflicker(window: int, base: Deflicker | None) -> Deflicker | None:
    """Deflickering over so many neighbours on either side, else as `base`; none without neighbours."""
    return replace(base or Deflicker(), window=window) if window else None


def frame_range(scene: bpy.types.Scene) -> tuple[int, int, int]:
    """First frame, last frame and step that the artist chose."""
    chosen = scene.diffsynth
    if chosen.use_own_range:
        return chosen.frame_start, chosen.frame_end, chosen.frame_step
    return scene.frame_start, scene.frame_end, scene.frame_step


def job_folder(scene: bpy.types.Scene) -> Path:
    """Where the shot's job folder lies. Raises BadJobError when it depends on a file that was never saved."""
    chosen = scene.diffsynth.output_folder
    if not chosen:
        raise BadJobError("no output folder is chosen; set Output")
    if chosen.startswith("//") and not bpy.data.filepath:
        raise BadJobError(
            "the output folder lies beside the .blend file, which is not saved yet; save it, or choose another"
        )
    # One folder a scene, because several shots of a file share the default.
    return Path(bpy.path.abspath(chosen)) / folder_name(scene.name)


def _used(animations: tuple[Animation, ...], settings: Settings) -> tuple[Animation, ...]:
    """Those of what the settings use: nothing else may be in a job."""
    used = {"guidance_scale", *(f"controls.{control.kind}.scale" for control in settings.controls)}
    if settings.deflicker is not None and not isinstance(settings.deflicker.strength, tuple):
        used.add("deflicker.strength")
    return tuple(animation for animation in animations if animation.key in used)


CLASSES = (
    *control_properties.CLASSES,
    *frame_properties.CLASSES,
    *steady_properties.CLASSES,
    *model_properties.CLASSES,
    *shot_properties.CLASSES,
)


def register() -> None:
    """Attach the settings to every scene."""
    bpy.types.Scene.diffsynth = PointerProperty(type=DiffsynthSettings)


def unregister() -> None:
    """Detach them again; what files hold is kept by Blender as plain data."""
    del bpy.types.Scene.diffsynth
