"""A wipe between a result and what it was made from, to compare the two: the result to the right of a line.

Made of strips that are taken away again: Blender's own wipe effect, and where the source is no strip, one of the source
frames. Everything else stays as it is.
"""

from __future__ import annotations

from math import pi
from pathlib import Path

import bpy

from ...protocol import BadJobError, load_job
from ..compat import new_effect
from .metadata import JOB_KEY, SOURCE_KEY, UPSCALE_KEY
from .sequencer import every_strip, free_channel, siblings_of
from .strip_content import Content
from .strip_images import add_image_strip
from .strip_look import copy_look, forget_animation, shrink
from .strip_replace import find_original, find_result

WIPE_KEY = "diffsynth_wipe"  # custom property of the strips that are here for the comparison only


def add_wipe(result: bpy.types.Strip) -> bpy.types.EffectStrip:
    """Wipe from the source to a result; returns the effect strip, whose fader is where the line is.

    Raises BadJobError when the strip is no result, or its source is gone.
    """
    siblings = siblings_of(result)
    start, end = round(result.frame_final_start), round(result.frame_final_end)
    channel = max(strip.channel for strip in siblings)
    source = _source_strip(result) or _show_source(result, free_channel(siblings, channel, start, end))
    channel = free_channel(siblings, max(channel, source.channel), start, end)
    wipe = new_effect(siblings, f"{result.name} Wipe", "WIPE", channel, start, end, (result, source))
    wipe[WIPE_KEY] = True
    wipe.transition_type, wipe.direction, wipe.angle, wipe.blur_width = "SINGLE", "IN", pi / 2, 0.0
    wipe.use_default_fade, wipe.effect_fader = False, 0.5
    wipe.blend_type, wipe.blend_alpha = result.blend_type, result.blend_alpha
    return wipe


def remove_wipe(strip: bpy.types.Strip) -> None:
    """Take away the comparison that a result, its source or the wipe itself belongs to, if there is one."""
    wipe = find_wipe(strip)
    if wipe is None:
        return
    source = wipe.input_2
    for made in (wipe, source) if source.get(WIPE_KEY) else (wipe,):
        forget_animation(made)
        siblings_of(made).remove(made)


def find_wipe(strip: bpy.types.Strip) -> bpy.types.EffectStrip | None:
    """The wipe that compares this strip with another one, if any."""
    for other in every_strip(strip.id_data):
        if other.type == "WIPE" and other.get(WIPE_KEY) and strip in (other, other.input_1, other.input_2):
            return other
    return None


def find_compared(strip: bpy.types.Strip) -> bpy.types.Strip | None:
    """The result that a strip is, or that took its place; None where there is none."""
    if strip.get(JOB_KEY) and not strip.get(WIPE_KEY):
        return strip
    return find_result(strip)


def _source_strip(result: bpy.types.Strip) -> bpy.types.Strip | None:
    """The strip that the result was made from, where it is still there."""
    named = (strip for strip in every_strip(result.id_data) if strip.name == result.get(SOURCE_KEY))
    return find_original(result) or next(named, None)


def _show_source(result: bpy.types.Strip, channel: int) -> bpy.types.ImageStrip:
    """A muted strip of the job's source frames, as the result is shown."""
    job_dir = Path(bpy.path.abspath(result.get(JOB_KEY, "")))
    try:
        shot = load_job(job_dir).shot
        paths = tuple(shot.source_path(job_dir, int(Path(element.filename).stem)) for element in result.elements)
        if missing := next((path for path in paths if not path.is_file()), None):
            raise BadJobError(f"{missing}: no such file; run the job again to make it")
    except BadJobError as error:
        raise BadJobError(f"what strip {result.name!r} was made from is gone: {error}") from error
    content = Content(paths, result.frame_start, result.frame_offset_start, result.frame_offset_end)
    source = add_image_strip(siblings_of(result), f"{result.name} Source", content, channel)
    copy_look(result, source, with_appearance=True)
    if result.get(UPSCALE_KEY, 1) != 1:
        shrink(source, 1 / result[UPSCALE_KEY])
    source[WIPE_KEY], source.mute = True, True
    return source
