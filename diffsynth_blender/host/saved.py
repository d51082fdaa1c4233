"""What is saved in the .blend of how a scene is stylised, for those who work without an interface.

A scene has such choices where the add-on is registered; where the package was imported plainly, it has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import bpy

from ..protocol import BadJobError, Settings
from .shot import properties


def choices(scene: bpy.types.Scene) -> bpy.types.PropertyGroup | None:
    """What the artist chose in the panels; None where the add-on is not registered."""
    return getattr(scene, "diffsynth", None)


def settings(scene: bpy.types.Scene, frames: Sequence[int]) -> Settings:
    """How the artist wants these frames stylised. Raises BadJobError for an incomplete choice."""
    wanted = properties.to_settings(_known(scene, "settings are"), frames)
    if not wanted.prompt.strip():
        raise BadJobError("the prompt is empty; set Prompt, or give settings")
    return wanted


def job_folder(scene: bpy.types.Scene) -> Path:
    """Where the artist wants the job. Raises BadJobError for an incomplete choice."""
    _known(scene, "job folder is")
    return properties.job_folder(scene).resolve()


def frame_range(scene: bpy.types.Scene) -> tuple[int, int, int]:
    """First frame, last frame and step that the artist chose; the scene's own where the add-on is not registered."""
    if choices(scene) is None:
        return scene.frame_start, scene.frame_end, scene.frame_step
    return properties.frame_range(scene)


def _known(scene: bpy.types.Scene, what: str) -> bpy.types.PropertyGroup:
    chosen = choices(scene)
    if chosen is None:
        raise BadJobError(f"no {what} given, and the add-on that keeps choices in the scene is not enabled; give it")
    return chosen
