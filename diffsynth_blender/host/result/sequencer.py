"""Find one's way among the strips of a scene, in any version of Blender: which there are, and where there is room."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import bpy

from ...protocol import BadJobError
from .. import compat

CHANNEL_COUNT = 128  # as many as Blender has


def strips_of(scene: bpy.types.Scene) -> bpy.types.StripsTopLevel:
    """The top-level strips of a scene's sequencer; makes the sequencer."""
    return compat.strips_in(scene.sequence_editor_create())


def every_strip(scene: bpy.types.Scene) -> list[bpy.types.Strip]:
    """All strips of a scene, those inside meta strips too; none where there is no sequencer."""
    editor = scene.sequence_editor
    if editor is None:
        return []
    return compat.all_strips(editor)


def siblings_of(strip: bpy.types.Strip) -> bpy.types.StripsTopLevel | bpy.types.StripsMeta:
    """The strips among which this one lies: those of its meta strip, or the top-level ones."""
    return compat.strips_in(strip.parent_meta() or strip.id_data.sequence_editor)


def active_strip(scene: bpy.types.Scene | None) -> bpy.types.Strip | None:
    """The strip that the sequencer marks as active, if any."""
    editor = scene.sequence_editor if scene else None
    return editor.active_strip if editor else None


def free_channel(strips: Iterable[bpy.types.Strip], above: int, start: float, end: float) -> int:
    """The lowest channel above one that shows nothing from `start` until before `end`.

    Raises BadJobError where there is none.
    """
    taken = {strip.channel for strip in strips if strip.frame_final_start < end and strip.frame_final_end > start}
    found = next((channel for channel in range(above + 1, CHANNEL_COUNT + 1) if channel not in taken), None)
    if found is None:
        raise BadJobError(f"no channel above channel {above} is free there; move strips together")
    return found


def sounds_in(strip: bpy.types.Strip) -> list[bpy.types.Strip]:
    """The sound strips that are heard with a strip: those of a meta strip, and those of the scene inside."""
    if strip.type == "META":
        inside = list(compat.strips_in(strip))
    elif strip.type == "SCENE" and strip.scene is not None and strip.volume > 0:
        inside = every_strip(strip.scene)
    else:
        return []
    found = [other for other in inside if other.type == "SOUND" and not other.mute]
    return found + [sound for other in inside if other.type == "META" for sound in sounds_in(other)]


def uses_of(strip: bpy.types.Strip) -> Iterator[tuple[bpy.types.bpy_struct, str]]:
    """Every property that points to a strip: inputs of effect strips, and masks of modifiers."""
    for other in every_strip(strip.id_data):
        for name in ("input_1", "input_2"):
            if getattr(other, name, None) == strip:
                yield other, name
        for modifier in getattr(other, "modifiers", ()):
            if modifier.input_mask_strip == strip:
                yield modifier, "input_mask_strip"
