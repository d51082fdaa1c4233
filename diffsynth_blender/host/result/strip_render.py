"""A strip of the sequencer rendered alone, into numbered PNG files.

In a scene that exists only meanwhile, under the view transform Standard, which leaves display colours as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import bpy

from ...protocol import BadJobError
from .. import compat
from ..capture.checks import CaptureError
from ..capture.scene_state import same_images_after
from .strip import show_exactly, strips_of
from .strip_frames import check_files, find_strip
from .strip_look import make_opaque


def render_strip(
    scene: bpy.types.Scene, name: str, frames: range, folder: Path, on_frame: Callable[[int, int], None]
) -> None:
    """Render a strip alone, see `strip_renders`, and tell of every frame.

    Args:
        scene: Whose strip it is; it is left alone.
        name: The strip's name.
        frames: Which scene frames.
        folder: Where `0001.png`... go.
        on_frame: Called with (frames rendered, the next frame), first with nothing rendered.

    Raises BadJobError where there is no such strip, CaptureError where a render failed.
    """
    find_strip(scene, name)
    on_frame(0, frames[0])
    for done, _ in enumerate(strip_renders(scene, name, frames, folder), 1):
        on_frame(done, frames[min(done, len(frames) - 1)])


def strip_renders(scene: bpy.types.Scene, name: str, frames: range, folder: Path) -> Iterator[int]:
    """Render a strip alone, over black, in the scene's full size, as 8-bit PNG files; yields each frame that is done.

    In a scene that exists only meanwhile, under the view transform Standard, which leaves display colours as they are.

    Args:
        scene: Whose strip it is; it is left alone.
        name: The strip's name.
        frames: Which scene frames.
        folder: Where `0001.png`... go.

    Raises BadJobError where a file of the strip is missing, CaptureError where a render failed.
    """
    check_files(strips_of(scene)[name])
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadJobError(f"{folder}: cannot be made: {error.strerror}; choose another folder") from error
    windows = bpy.context.window_manager.windows
    window = bpy.context.window or windows[0]
    shown = window.scene
    alone = scene.copy()
    faded = None
    try:
        faded = make_opaque(strips_of(alone)[name])
        _isolate(alone, name)
        with same_images_after():
            window.scene = alone  # Blender renders any scene at the frame of the one that is shown
            for frame in frames:
                alone.frame_set(frame)
                path = folder / f"{frame:04d}.png"
                alone.render.filepath = compat.render_path(path)
                with bpy.context.temp_override(window=window):
                    bpy.ops.render.render(write_still=True, scene=alone.name)
                if not path.is_file():
                    raise CaptureError(f"{path}: Blender wrote no picture; its messages above say why")
                yield frame
    except RuntimeError as error:  # what an operator reports as an error
        raise CaptureError(
            f"Strip {name!r} could not be rendered: {str(error).removeprefix('Error: ').strip()}"
        ) from error
    finally:
        window.scene = shown
        bpy.data.scenes.remove(alone)
        if faded is not None:
            bpy.data.actions.remove(faded)


def _isolate(scene: bpy.types.Scene, name: str) -> None:
    """Set up a copy of a scene so that a render of it is this strip and nothing else."""
    for other in strips_of(scene):
        other.mute = other.name != name
    for channel in scene.sequence_editor.channels:
        channel.mute = False
    for child in list(scene.collection.children):  # nothing of the 3D scene is evaluated for it
        scene.collection.children.unlink(child)
    render = scene.render
    render.use_sequencer, render.use_compositing = True, False
    render.resolution_percentage = 100
    render.use_border = render.use_multiview = render.use_stamp = False
    compat.use_png(render.image_settings)
    render.image_settings.color_mode = "RGB"
    render.image_settings.color_management = "FOLLOW_SCENE"
    render.use_file_extension = True
    show_exactly(scene)
