"""Strips of every kind that holds frames, trimmed and adorned in every way, and results for their places."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy
import numpy as np

from diffsynth_blender.host import compat
from diffsynth_blender.host.result import movie, strip
from diffsynth_blender.host.result.sequencer import strips_of
from diffsynth_blender.host.result.strip_content import Content, camera_content, shown_content
from tests.host.test_strip import HEIGHT, WIDTH, write_png


def noise(frame: int) -> np.ndarray:
    """A picture of its own for every number, 8-bit (H, W, 3)."""
    return np.random.default_rng(frame).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def pictures(folder: Path, frames: range) -> dict[int, Path]:
    """Results of these frames, written."""
    paths = {frame: folder / f"{frame:04d}.png" for frame in frames}
    for frame, path in paths.items():
        write_png(path, noise(frame))
    return paths


def add_image(scene: bpy.types.Scene, tmp_path: Path) -> bpy.types.Strip:
    """Frames 10 to 21, of which 13 to 18 are shown."""
    paths = [tmp_path / "plain" / f"plain_{frame}.png" for frame in range(12)]
    for path in paths:
        write_png(path, noise(500 + int(path.stem[6:])))
    take = strip.new_image_strip(scene, "Take", paths, 10, 2)
    take.select = True
    return trim(take)


def add_movie(scene: bpy.types.Scene, tmp_path: Path) -> bpy.types.Strip:
    """The same as a film."""
    other = strip.new_edit_scene("film")
    other.render.resolution_x, other.render.resolution_y = WIDTH, HEIGHT
    other.frame_start, other.frame_end = 1, 12
    colour = compat.new_effect(strips_of(other), "Colour", "COLOR", 1, 1, 13)
    colour.color = (0.5, 0.2, 0.1)
    path = movie.render_movie(other, tmp_path / "film.mp4")
    bpy.data.scenes.remove(other)
    return trim(strips_of(scene).new_movie("Take", str(path), 2, 10, fit_method="ORIGINAL"))


def add_scene(scene: bpy.types.Scene, tmp_path: Path) -> bpy.types.Strip:
    """Scene frames 101 to 112, of which 104 to 109 are shown."""
    inner = bpy.data.scenes.new("Shot")
    inner.render.engine = "BLENDER_WORKBENCH"
    inner.render.resolution_x, inner.render.resolution_y = WIDTH, HEIGHT
    inner.frame_start, inner.frame_end = 101, 112
    inner.camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    inner.collection.objects.link(inner.camera)
    return trim(strips_of(scene).new_scene("Take", inner, 2, 10))


def add_meta(scene: bpy.types.Scene, tmp_path: Path) -> bpy.types.Strip:
    """A meta strip around the frames, trimmed once more."""
    inside = add_image(scene, tmp_path)
    inside.name, inside.frame_offset_start, inside.frame_offset_end = "Inside", 1, 1
    with in_sequencer(scene, inside):
        bpy.ops.sequencer.meta_make()
    meta = scene.sequence_editor.active_strip
    meta.name, meta.channel, meta.frame_offset_start, meta.frame_offset_end = "Take", 2, 2, 2
    return meta


def trim(shown: bpy.types.Strip) -> bpy.types.Strip:
    shown.frame_offset_start, shown.frame_offset_end = 3, 3
    return shown


@contextmanager
def in_sequencer(scene: bpy.types.Scene, active: bpy.types.Strip) -> Iterator[None]:
    """A place for Blender's own operators on the active strip, which is selected alone."""
    for other in strips_of(scene):
        other.select = other == active
    scene.sequence_editor.active_strip = active
    window = bpy.context.window
    compat.choose_sequencer_scene(window.workspace, scene)
    area = window.screen.areas[0]
    area.type = "SEQUENCE_EDITOR"
    region = next(region for region in area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        yield


KINDS = {"IMAGE": add_image, "MOVIE": add_movie, "SCENE": add_scene, "META": add_meta}


def adorn(scene: bpy.types.Scene, take: bpy.types.Strip) -> None:
    """Everything an artist may have done to a strip, and what depends on it."""
    take.transform.offset_x, take.transform.scale_y, take.transform.rotation = 3.0, 1.5, 0.2
    take.crop.min_x, take.blend_type, take.blend_alpha, take.color_tag = 2, "ALPHA_OVER", 0.75, "COLOR_03"
    take.use_flip_x, take.color_multiply, take.color_saturation = True, 1.25, 0.5
    take.select, take.select_left_handle = True, True
    bright = compat.new_strip_modifier(take, "Bright", "BRIGHT_CONTRAST")
    bright.bright, bright.mute = 0.1, True
    curves = compat.new_strip_modifier(take, "Curves", "CURVES")
    curves.curve_mapping.curves[3].points.new(0.4, 0.6)
    curves.curve_mapping.update()
    balance = compat.new_strip_modifier(take, "Balance", "COLOR_BALANCE")
    balance.color_balance.gain = (1.0, 0.9, 0.8)
    for frame, value in ((10, 0.2), (20, 0.9)):
        take.blend_alpha = value
        take.keyframe_insert("blend_alpha", frame=frame)
        take.transform.keyframe_insert("offset_y", frame=frame)
    curve = compat.animation_curves(scene)[0]
    curve.keyframe_points[0].interpolation, curve.extrapolation = "BOUNCE", "LINEAR"
    curve.modifiers.new("NOISE").strength = 0.1
    driver = take.driver_add("color_saturation")
    driver.driver.expression = "0.5 + 0.01 * frame"
    strips = strips_of(scene)
    compat.new_effect(strips, "Blur", "GAUSSIAN_BLUR", 3, 10, 20, [take])
    below = compat.new_effect(strips, "Below", "COLOR", 1, 1, 40)
    compat.new_effect(strips, "Mix", "CROSS", 4, 10, 20, [below, take])
    masked = compat.new_strip_modifier(below, "Masked", "BRIGHT_CONTRAST")
    masked.input_mask_strip = take
    for name, start, end in (("Before", 1, 13), ("After", 19, 30)):  # cut to its neighbours, as shots of a film are
        compat.new_effect(strips, name, "COLOR", 2, start, end)
    scene.sequence_editor.active_strip = take
    scene.frame_set(16)


def content_of(take: bpy.types.Strip, tmp_path: Path) -> Content:
    """Results of everything a strip can show."""
    if take.type == "SCENE":
        return camera_content(take, pictures(tmp_path / "out", range(101, 113)))
    return shown_content(take, pictures(tmp_path / "out", range(13, 19)))
