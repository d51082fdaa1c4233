"""Files as an artist has rendered them: multilayer EXR with passes, in every shape that Blender writes; and strips."""

from __future__ import annotations

from pathlib import Path

import bpy

from diffsynth_blender.host.source_enable import turn_on
from diffsynth_blender.host.strip import strips_of


def use_exr(scene: bpy.types.Scene, *, depth: str = "32", interleave: bool = False) -> None:
    """Have the scene write multilayer EXR files."""
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "MULTI_LAYER_IMAGE"
    settings.file_format = "OPEN_EXR_MULTILAYER"
    settings.color_depth = depth
    if hasattr(settings, "use_exr_interleave"):
        settings.use_exr_interleave = interleave


def use_png(scene: bpy.types.Scene) -> None:
    """Have the scene write 8-bit PNG files."""
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "IMAGE"
    settings.file_format, settings.color_mode, settings.color_depth = "PNG", "RGB", "8"


def render_passes(scene: bpy.types.Scene, folder: Path, **options: object) -> Path:
    """Render the scene's range into EXR files with passes; returns the first file."""
    for layer in scene.view_layers:
        turn_on(layer)
    use_exr(scene, **options)
    return animate(scene, folder, "exr")


def render_pictures(scene: bpy.types.Scene, folder: Path) -> Path:
    """Render the scene's range into PNG files; returns the first file."""
    use_png(scene)
    return animate(scene, folder, "png")


def animate(scene: bpy.types.Scene, folder: Path, suffix: str) -> Path:
    scene.render.filepath = f"{folder}/shot_v2_####"
    bpy.ops.render.render(animation=True, scene=scene.name)
    return folder / f"shot_v2_{scene.frame_start:04d}.{suffix}"


def add_image_strip(scene: bpy.types.Scene, first: Path, count: int, *, start: int) -> bpy.types.Strip:
    """A strip of numbered files in the scene's sequencer."""
    strip = strips_of(scene).new_image("Plate", str(first), 1, start, fit_method="ORIGINAL")
    number = int(first.stem[-4:])
    for index in range(1, count):
        strip.elements.append(f"{first.stem[:-4]}{number + index:04d}{first.suffix}")
    return strip


def add_movie_strip(scene: bpy.types.Scene, file: Path, *, start: int) -> bpy.types.Strip:
    """A strip of a movie in the scene's sequencer."""
    return strips_of(scene).new_movie("Plate", str(file), 1, start, fit_method="ORIGINAL")


def render_movie(scene: bpy.types.Scene, file: Path) -> None:
    """Render the scene's range into a movie."""
    render = scene.render
    settings = render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "VIDEO"
    settings.file_format = "FFMPEG"
    render.ffmpeg.format, render.ffmpeg.codec = "MPEG4", "H264"
    render.ffmpeg.constant_rate_factor = "LOSSLESS"
    render.filepath, render.use_file_extension = str(file), False
    bpy.ops.render.render(animation=True, scene=scene.name)
