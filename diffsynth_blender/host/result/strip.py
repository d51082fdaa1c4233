"""Stylised frames -> an image strip in an edit scene of its own, where they are shown and rendered bit for bit.

Result frames are display-referred sRGB. The sequencer leaves them alone only under the view transform Standard, and the
shot's own scene hardly ever uses that one, so each shot gets a second scene made for editing. Nothing here renders or
knows about the worker.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import bpy

from ...protocol import BadJobError, Job, Shot, load_job, output_path
from .colours import show_exactly
from .metadata import describe_job
from .sequencer import strips_of
from .strip_content import Content
from .strip_images import new_image_strip, set_content, shows_folder

SHOT_KEY = "diffsynth_shot"  # custom property of an edit scene: the shot's scene


def insert_strip(shot_scene: bpy.types.Scene, job_dir: Path | str) -> bpy.types.ImageStrip:
    """Show the results of a job folder as a strip in the shot's edit scene; returns the strip.

    The strip starts at the shot's first frame and ends at its last one. When only every n-th frame was stylised, each
    result is held until the next one, so that timing and sound stay right. The same job folder again updates its strip
    in place (its channel, and effects and keyframes on it survive); another job folder of the same shot gets a strip on
    the channel above.

    Raises BadJobError when a result frame is missing.
    """
    job_dir = Path(job_dir).resolve()
    shot = result_shot(load_job(job_dir))
    paths = held_paths(shot, result_of(job_dir))
    edit_scene = find_edit_scene(shot_scene) or new_edit_scene(f"{shot_scene.name} Stylised", shot_scene)
    fit_edit_scene(edit_scene, shot)
    strips = strips_of(edit_scene)
    strip = next((strip for strip in strips if shows_folder(strip, paths[0].parent)), None)
    if strip is None:
        channel = 1 + max((strip.channel for strip in strips), default=0)
        strip = new_image_strip(edit_scene, "Stylised", paths, shot.frames[0], channel)
        edit_scene.sequence_editor.active_strip = strip  # the one that the sidebar's tab is about
    else:
        set_content(strip, Content(tuple(paths), shot.frames[0]))
    for key, value in describe_job(job_dir).items():
        strip[key] = value
    return strip


def held_paths(shot: Shot, path_of: Callable[[int], Path]) -> list[Path]:
    """The image shown at every scene frame from the first to the last one, given the image of each frame of the shot.

    Raises BadJobError naming the frames whose image does not exist.
    """
    missing = [frame for frame in shot.frames if not path_of(frame).is_file()]
    if missing:
        listed = ", ".join(map(str, missing[:8])) + (", ..." if len(missing) > 8 else "")
        raise BadJobError(
            f"{path_of(missing[0]).parent}: {len(missing)} of {len(shot.frames)} frames are missing ({listed}); "
            "run the job again to make them"
        )
    following = (*shot.frames[1:], shot.frames[-1] + 1)
    return [path_of(frame) for frame, end in zip(shot.frames, following, strict=True) for _ in range(frame, end)]


def result_shot(job: Job) -> Shot:
    """The shot as its results show it: as large as they are."""
    shot, upscale = job.shot, job.settings.upscale
    return replace(shot, width=shot.width * upscale, height=shot.height * upscale)


def result_of(job_dir: Path) -> Callable[[int], Path]:
    """The result of each frame of a job folder."""
    return partial(output_path, job_dir)


def find_edit_scene(shot_scene: bpy.types.Scene) -> bpy.types.Scene | None:
    """The edit scene of a shot, found by the link it keeps and not by its name, so both may be renamed."""
    return next((scene for scene in bpy.data.scenes if scene.get(SHOT_KEY) == shot_scene), None)


def is_edit_scene(scene: bpy.types.Scene) -> bool:
    """Whether this scene shows the results of another one."""
    return scene.get(SHOT_KEY) is not None


def new_edit_scene(name: str, shot_scene: bpy.types.Scene | None = None) -> bpy.types.Scene:
    """An empty scene with a sequencer, linked to its shot when one is given."""
    scene = bpy.data.scenes.new(name)
    scene.sequence_editor_create()
    if shot_scene is not None:
        scene[SHOT_KEY] = shot_scene
    return scene


def fit_edit_scene(scene: bpy.types.Scene, shot: Shot) -> None:
    """Size, speed and frame range of the shot, and its frames shown bit-exactly.

    Blender's frame range begins at 0 at the lowest; a shot that begins below it is played by the preview range.

    Raises BadJobError when Blender runs with a colour configuration that lacks them.
    """
    render = scene.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = shot.width, shot.height, 100
    render.pixel_aspect_x = render.pixel_aspect_y = 1.0
    render.fps = round(shot.fps[0] / shot.fps[1])
    render.fps_base = render.fps * shot.fps[1] / shot.fps[0]  # 24000/1001 is 24 over a base of 1.001 in Blender
    render.use_border = False
    render.use_sequencer = True
    scene.frame_start, scene.frame_end = shot.frames[0], shot.frames[-1]
    if shot.frames[0] < 0:
        scene.use_preview_range = True
        scene.frame_preview_start, scene.frame_preview_end = shot.frames[0], shot.frames[-1]
    scene.frame_set(shot.frames[0])
    show_exactly(scene)
