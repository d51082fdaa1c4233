"""The pictures of a preview as images of the file, and an image editor to see them in.

They are shown as they are on disk, without the scene's view transform: image editors apply it to renders only.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import bpy

from ...protocol import load_job, output_path
from ...protocol.traces import PICTURES_FOLDER

PREFIX = "Preview "


def load_pictures(job_dir: Path) -> list[bpy.types.Image]:
    """Images of the file for result, source, and whatever the worker has shown; the result first.

    Pictures of several frames become image sequences, which follow the frame of the scene. The same images are used
    again by the next preview; those it has no picture for are removed.
    """
    shot = load_job(job_dir).shot
    first = shot.frames[0]
    found = {"Result": output_path(job_dir, first), "Source": shot.source_path(job_dir, first)}
    for folder in sorted((job_dir / PICTURES_FOLDER).iterdir()):
        path = folder / f"{first:04d}.png"
        if path.is_file():
            found[folder.name.replace("-", " ").title()] = path
    for image in [image for image in bpy.data.images if image.name.startswith(PREFIX)]:
        if image.name.removeprefix(PREFIX) not in found and not image.library:
            bpy.data.images.remove(image)
    return [_load(PREFIX + name, path, len(shot.frames)) for name, path in found.items()]


def show_pictures(images: Sequence[bpy.types.Image], frames: Sequence[int]) -> None:
    """Show the first of the images in an image editor: one that is there, else in a window of its own."""
    editors = [
        area for window in bpy.context.window_manager.windows for area in window.screen.areas
        if area.type == "IMAGE_EDITOR"
    ]  # fmt: skip
    area = next((area for area in editors if area.spaces.active.image in images), editors[0] if editors else None)
    if area is None:
        area = _new_editor()
    space = area.spaces.active
    if space.image not in images:  # otherwise the artist has chosen which one to look at
        space.image = images[0]
    user = space.image_user
    user.frame_start, user.frame_offset, user.frame_duration = frames[0], frames[0] - 1, len(frames)
    user.use_auto_refresh = True
    area.tag_redraw()


def _load(name: str, path: Path, count: int) -> bpy.types.Image:
    image = bpy.data.images.get(name)
    if image is None:
        image = bpy.data.images.load(str(path))
        image.name = name
    image.source = "SEQUENCE" if count > 1 else "FILE"
    image.filepath = str(path)
    image.reload()
    return image


def _new_editor() -> bpy.types.Area:
    """An image editor in a new window, as Blender opens one for its renders."""
    manager = bpy.context.window_manager
    window = manager.windows[0]
    before = set(manager.windows)
    with bpy.context.temp_override(window=window, area=window.screen.areas[0]):
        bpy.ops.wm.window_new()
    window = next(window for window in manager.windows if window not in before)
    area = window.screen.areas[0]
    area.type = "IMAGE_EDITOR"
    return area
