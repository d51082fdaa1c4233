"""Put the result of a job where the artist chose: a strip above, a strip in place of another one, the compositor."""

from __future__ import annotations

from pathlib import Path

import bpy

from ...protocol import BadJobError
from ..deflicker.strip import SourcePlace, insert_result
from .colours import colour_warning
from .compositor import replace_render
from .compositor_links import pairs_of
from .find import Result, strips_for, strips_with
from .metadata import UPSCALE_KEY, describe_job
from .sequencer import sounds_in
from .strip import insert_strip, is_edit_scene
from .strip_content import Content
from .strip_images import set_content
from .strip_look import shrink
from .strip_replace import find_original, find_result, replace_strip


def place_result(scene: bpy.types.Scene, job_dir: Path | str) -> str:
    """Do with a finished job what the scene's settings say, and renew what shows it already.

    What has no place where it was to go (a strip that shows more than was stylised, a compositor without nodes) gets a
    strip of its own, and the sentence says why.

    Args:
        scene: The scene whose job it is.
        job_dir: The job folder.

    Returns:
        Where the frames are now, and what changes their colours there, for the artist.

    Raises BadJobError when a frame is missing.
    """
    result = Result.of(job_dir)
    chosen = scene.diffsynth.result
    told: list[str] = []
    shown = _renew(result, told)
    if chosen.placement == "REPLACE":
        shown += _replace_all(scene, result, told)
    if chosen.placement == "NEW" or (chosen.placement == "REPLACE" and not shown):
        shown.append(_insert(scene, result))
    places = [_spoken(strip) for strip in dict.fromkeys(shown)] or [f"in {result.folder}"]
    told += dict.fromkeys(text for strip in shown for text in warnings_of(strip))
    if chosen.use_compositor or pairs_of(scene):
        try:
            told.append(replace_render(scene, result.job_dir, describe_job(result.job_dir)))
            places.append("in the compositor")
        except BadJobError as error:
            told.append(str(error))
    sentence = f"{len(result.shot.frames)} frames {' and '.join(places)}"
    return ". ".join([sentence, *(text[0].upper() + text[1:] for text in told if text)])


def replace_with(original: bpy.types.Strip, result: Result) -> bpy.types.ImageStrip:
    """Put a result in place of a strip, or of the result that took its place before; returns its strip.

    Raises BadJobError when the strip shows more than was stylised.
    """
    content = result.content(original)
    strip = find_result(original)
    if strip is None:
        strip = replace_strip(original, content, with_appearance=result.lacks_appearance(original))
    else:
        set_content(strip, content)
    _describe(strip, result)
    return strip


def warnings_of(strip: bpy.types.Strip) -> list[str]:
    """What is lost where a strip shows a result, and how to have it: colours, frames, sound of what is muted now."""
    found = [colour_warning(strip.id_data, sequencer=True)]
    original = find_original(strip)
    if original is None and strip.frame_final_start < 0:
        found.append(f"Blender renders animations from frame 0 on; to render all of strip {strip.name!r} move it there")
    if original is not None and sounds_in(original):
        found.append(f"strip {original.name!r} is muted with the sound inside it; add that sound as a strip of its own")
    return [text for text in found if text]


def _renew(result: Result, told: list[str]) -> list[bpy.types.Strip]:
    """Have every strip of the file that shows the result show its frames as they are now; what cannot is told."""
    shown = []
    for strip in strips_with(result):
        original = find_original(strip)
        own = Content(tuple(result.held.values()), result.shot.frames[0])
        try:
            set_content(strip, own if original is None else result.content(original))
        except BadJobError as error:
            told.append(str(error))
            continue
        _describe(strip, result)
        shown.append(strip)
    return shown


def _replace_all(scene: bpy.types.Scene, result: Result, told: list[str]) -> list[bpy.types.Strip]:
    """Take the place of every strip that shows what was stylised; what is in the way is told."""
    originals = [strip for strip in strips_for(result, scene) if find_original(strip) is None]
    if not originals:
        told.append(f"no strip shows scene {scene.name!r}, so there was none to replace")
    shown = []
    for original in originals:
        try:
            shown.append(replace_with(original, result))
        except BadJobError as error:
            if str(error) not in told:
                told.append(str(error))
    return shown


def _insert(scene: bpy.types.Scene, result: Result) -> bpy.types.ImageStrip:
    """A strip above the one that was stylised, else in the edit scene of the shot; the same again renews it."""
    sources = [strip for strip in strips_for(result, scene) if result.strip]
    if sources:
        place = SourcePlace.of(sources[0], keeps_shape=result.lacks_appearance(sources[0]))
        strip = insert_result(scene, result.held, place, label="Stylised")
    else:
        strip = insert_strip(scene, result.job_dir)
    _describe(strip, result)
    return strip


def _describe(strip: bpy.types.Strip, result: Result) -> None:
    """Keep what the frames were made with; larger ones than before are shown in the size of those."""
    factor = result.upscale / strip.get(UPSCALE_KEY, 1)
    if factor != 1 and not is_edit_scene(strip.id_data):  # which is as large as its frames
        shrink(strip, factor)
    for key, value in describe_job(result.job_dir).items():
        strip[key] = value


def _spoken(strip: bpy.types.Strip) -> str:
    original = find_original(strip)
    if original is not None:
        return f"in place of the strip {original.name!r} in the scene {strip.id_data.name!r}"
    if is_edit_scene(strip.id_data):
        return f"in the scene {strip.id_data.name!r}"
    return f"in the strip {strip.name!r} in the scene {strip.id_data.name!r}"
