"""Files as an artist has rendered them: multilayer EXR with passes, in every shape that Blender writes; and strips."""

from __future__ import annotations

from pathlib import Path

import bpy

from diffsynth_blender.host.compat import compositor_tree, new_compositor
from diffsynth_blender.host.result.strip import strips_of
from diffsynth_blender.host.source.enable import turn_on


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


def render_by_node(scene: bpy.types.Scene, folder: Path) -> Path:
    """Render frames 4 to 6 into EXR files by a File Output node of the compositor; returns the first."""
    kinds = {"Image": "RGBA", "Depth": "FLOAT", "Normal": "VECTOR", "Vector": "VECTOR", "Position": "VECTOR"}
    kinds["CryptoObject00"] = "RGBA"
    turn_on(scene.view_layers[0])
    new_compositor(scene)
    tree = compositor_tree(scene)
    (picture,) = tree.nodes
    layers, output = tree.nodes.new("CompositorNodeRLayers"), tree.nodes.new("CompositorNodeOutputFile")
    layers.scene = scene
    tree.links.new(layers.outputs["Image"], picture.inputs[0])
    own = hasattr(output, "file_output_items")  # from 5.0 on
    if own:
        output.format.media_type = "MULTI_LAYER_IMAGE"
    output.format.file_format, output.format.color_depth = "OPEN_EXR_MULTILAYER", "32"
    for name, kind in kinds.items():
        if own:
            item = output.file_output_items.new(kind, name)
            if name == "Vector":
                item.vector_socket_dimensions = 4
        elif name != "Image":
            output.layer_slots.new(name)
        tree.links.new(layers.outputs[name], output.inputs[name])
    use_png(scene)
    scene.render.filepath = str(folder / "beside.png")
    for frame in range(scene.frame_start, scene.frame_end + 1):
        scene.frame_set(frame)
        if own:
            output.directory, output.file_name = str(folder), f"node_{frame:04d}"
        else:
            output.base_path = f"{folder}/node_"
        bpy.ops.render.render(write_still=True, scene=scene.name)
    return folder / f"node_{scene.frame_start:04d}.exr"
