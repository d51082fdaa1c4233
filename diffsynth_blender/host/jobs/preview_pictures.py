"""The pictures of a preview as images of the file, and an image editor to see them in.

They are shown as they are on disk, without the scene's view transform: image editors apply it to renders only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import bpy

from ...protocol import Shot, load_job, output_path
from ...protocol.traces import PICTURES_FOLDER, picture_path
from ..result.counted import COUNTED_FOLDER, counted
from ..result.strip import held_paths

PREFIX = "Preview "


def load_pictures(job_dir: Path) -> list[bpy.types.Image]:
    """Images of the file for result, source, and whatever the worker has shown; the result first.

    Pictures of several frames become image sequences, which follow the frame of the scene. The same images are used
    again by the next preview; those it has no picture for are removed.

    Raises BadJobError where pictures are missing, or links to them cannot be made.
    """
    shot = load_job(job_dir).shot
    found = {"Result": _first(job_dir, shot, "result", partial(output_path, job_dir))}
    found["Source"] = _first(job_dir, shot, "source", partial(shot.source_path, job_dir))
    for folder in sorted((job_dir / PICTURES_FOLDER).iterdir()):
        path_of = partial(picture_path, job_dir, folder.name)
        if path_of(shot.frames[0]).is_file():
            found[folder.name.replace("-", " ").title()] = _first(job_dir, shot, folder.name, path_of)
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
    user.frame_start, user.frame_duration = frames[0], frames[-1] - frames[0] + 1
    user.frame_offset = (0 if _are_counted(frames) else frames[0]) - 1  # Blender counts from one
    user.use_auto_refresh = True
    area.tag_redraw()


def _are_counted(frames: Sequence[int]) -> bool:
    """Whether an image sequence cannot show files of these numbers: some of them below 0, or none in between."""
    return len(frames) > 1 and (frames[0] < 0 or len(frames) <= frames[-1] - frames[0])


def _first(job_dir: Path, shot: Shot, kind: str, path_of: Callable[[int], Path]) -> Path:
    """The file of the first frame, in a folder that an image sequence can show."""
    if not _are_counted(shot.frames):
        return path_of(shot.frames[0])
    return counted(held_paths(shot, path_of), job_dir / COUNTED_FOLDER / kind)


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
