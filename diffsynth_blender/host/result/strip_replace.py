"""A strip of results in place of the strip it was made from, and back again.

The original stays in the sequencer, unchanged but for its channel and that it is muted; both keep a mark by which they
find each other. Effect strips and masks that used the original use the result instead. Nothing is put away in another
form, so bringing the original back cannot lose anything.
"""

from __future__ import annotations

import secrets

import bpy

from ...protocol import BadJobError
from .sequencer import every_strip, free_channel, siblings_of, strips_of, uses_of
from .strip_content import Content
from .strip_images import add_image_strip
from .strip_look import copy_look, forget_animation

REPLACES_KEY = "diffsynth_replaces"  # custom property of a result: the mark that its original has too
REPLACED_KEY = "diffsynth_replaced"  # custom property of an original: the mark
WAS_KEY = "diffsynth_was"  # custom property of an original: its channel, and whether it was muted


def replace_strip(original: bpy.types.Strip, content: Content, *, with_appearance: bool) -> bpy.types.ImageStrip:
    """Put a strip of pictures in the place of another one; returns the new strip.

    Args:
        original: A strip that holds frames; afterwards it is muted, in a channel that is free.
        content: The pictures, and where they begin and end.
        with_appearance: Whether the pictures are still without what the strip does to them: position, crop, modifiers.

    Raises BadJobError when the strip is replaced already, or there is no room for the original.
    """
    if find_result(original) is not None:
        raise BadJobError(f"strip {original.name!r} is replaced already; restore it first")
    siblings = siblings_of(original)
    place, mark = original.channel, secrets.token_hex(8)
    parking = free_channel(siblings, place, original.frame_final_start, original.frame_final_end)
    end = content.frame_start + len(content.paths)
    # Made where there is room for what is hidden behind its handles, too: Blender moves what overlaps.
    around = [*siblings, *strips_of(original.id_data)]
    building = free_channel(around, parking, content.frame_start, max(end, original.frame_final_end))
    original[REPLACED_KEY], original[WAS_KEY] = mark, [place, int(original.mute)]
    original.channel, original.mute = parking, True
    result = add_image_strip(strips_of(original.id_data), f"{original.name} Stylised", content, building)
    result[REPLACES_KEY] = mark
    meta = original.parent_meta()
    if meta is not None:  # only now: a meta strip would grow to what is hidden behind the handles
        result.move_to_meta(meta)
    copy_look(original, result, with_appearance=with_appearance)
    result.channel = place
    _redirect(original, result)
    result.select = original.select
    editor = original.id_data.sequence_editor
    if editor.active_strip == original:
        editor.active_strip = result
    return result


def restore_strip(strip: bpy.types.Strip) -> bpy.types.Strip:
    """Bring the original back, exactly as it was, and remove the strip in its place; returns the original.

    Args:
        strip: Either of the two.

    Raises BadJobError when the strip is neither, or the other one is gone.
    """
    original, result = find_pair(strip)
    editor = original.id_data.sequence_editor
    was_active = editor.active_strip == result
    _redirect(result, original)
    forget_animation(result)
    siblings_of(result).remove(result)
    channel, mute = original[WAS_KEY]
    original.mute = bool(mute)
    original.channel = channel  # the next free one where the artist has put another strip there meanwhile
    del original[REPLACED_KEY], original[WAS_KEY]
    if was_active:
        editor.active_strip = original
    return original


def find_pair(strip: bpy.types.Strip) -> tuple[bpy.types.Strip, bpy.types.Strip]:
    """The original and its result, given either. Raises BadJobError saying what is missing."""
    original, result = find_original(strip) or strip, find_result(strip) or strip
    if original != result:
        return original, result
    if strip.get(REPLACES_KEY):
        raise BadJobError(f"the strip that {strip.name!r} took the place of was deleted; there is nothing to restore")
    if strip.get(REPLACED_KEY):
        raise BadJobError(f"the strip in place of {strip.name!r} was deleted; unmute {strip.name!r} and move it back")
    raise BadJobError(f"strip {strip.name!r} is in its own place; there is nothing to restore")


def find_original(result: bpy.types.Strip) -> bpy.types.Strip | None:
    """The strip that this one took the place of, if any."""
    return _partner(result, REPLACES_KEY, REPLACED_KEY)


def find_result(original: bpy.types.Strip) -> bpy.types.Strip | None:
    """The strip that took the place of this one, if any."""
    return _partner(original, REPLACED_KEY, REPLACES_KEY)


def _partner(strip: bpy.types.Strip, key: str, partner_key: str) -> bpy.types.Strip | None:
    mark = strip.get(key)
    others = every_strip(strip.id_data) if mark else ()
    return next((other for other in others if other.get(partner_key) == mark), None)


def _redirect(old: bpy.types.Strip, new: bpy.types.Strip) -> None:
    """Have effects and masks use another strip than before."""
    for owner, name in list(uses_of(old)):
        if owner != new:
            setattr(owner, name, new)
    # Blender remembers which effects belong to which strip, and removes them with it; from 5.2 on it does not notice
    # that an input was changed, but that a name was.
    new.name = new.name
