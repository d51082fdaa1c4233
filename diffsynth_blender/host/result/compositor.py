"""Result frames in place of the rendered picture in a scene's compositor, and the render back again.

An Image node with the frames takes over every link of the Render Layers node's Image; its other passes stay in use. The
Render Layers node stays where it is, and both keep a mark by which they find each other.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import bpy

from ...protocol import BadJobError, Shot, load_job
from .colours import colour_warning
from .compositor_links import REPLACED_KEY, REPLACES_KEY, move_links, pairs_of, render_nodes
from .counted import COUNTED_FOLDER, counted
from .strip import held_paths, result_of, result_shot
from .strip_images import blend_path

ANIMATED_KEY = "diffsynth_animated"  # custom property of an image node: its nodes were animated before it came


def replace_render(scene: bpy.types.Scene, job_dir: Path, description: Mapping[str, object]) -> str:
    """Show the results of a job folder in place of a scene's render, in its compositor; again, they are renewed.

    Args:
        scene: The shot's scene.
        job_dir: The job folder.
        description: What is kept on the nodes, for people and scripts.

    Returns:
        What keeps the frames from arriving as they are, and where to set it; "" where nothing does.

    Raises BadJobError when a frame is missing, or the compositor has no place for them.
    """
    job_dir = Path(job_dir).resolve()
    shot = result_shot(load_job(job_dir))
    held = held_paths(shot, result_of(job_dir))
    if not pairs_of(scene):
        for node in render_nodes(scene):
            _stand_in(node)
    is_counted = shot.frames[0] < 0  # then no file name can have the number of its frame
    path = counted(held, job_dir / COUNTED_FOLDER) if is_counted else held[0]
    image = None
    for node, _ in pairs_of(scene):
        image = image or _load(scene, path, node.image)
        old, node.image = node.image, image
        _drop(old)
        _set_frames(node, shot, 0 if is_counted else shot.frames[0])
        for key, value in description.items():
            node[key] = value
    return _warning(scene, shot)


def restore_render(scene: bpy.types.Scene) -> None:
    """Show the render again. Raises BadJobError when it is shown already, or its node is gone."""
    pairs = pairs_of(scene)
    if not pairs:
        raise BadJobError(f"the compositor of scene {scene.name!r} shows the render; there is nothing to restore")
    for node, original in pairs:
        if original is None:
            raise BadJobError(
                f"the Render Layers node that {node.name!r} stands for was deleted; add one and link it in its place"
            )
    for node, original in pairs:
        move_links(node, original)
        del original[REPLACED_KEY]
        _remove(node)


@contextmanager
def rendered_picture(scene: bpy.types.Scene) -> Iterator[None]:
    """Have the compositor show the render for the length of the block: results are not to be stylised again."""
    pairs = [(node, original) for node, original in pairs_of(scene) if original is not None]
    for node, original in pairs:
        move_links(node, original)
    try:
        yield
    finally:
        for node, original in pairs:
            move_links(original, node)


def _stand_in(original: bpy.types.Node) -> None:
    """An image node that takes over the links of a Render Layers node."""
    tree, mark = original.id_data, secrets.token_hex(8)
    was_animated, active = tree.animation_data is not None, tree.nodes.active
    node = tree.nodes.new("CompositorNodeImage")
    node.label = "Stylised"
    node.parent = original.parent
    node.location = (original.location.x, original.location.y - 260)  # below it: an image node is about 240 high
    node.select = False
    tree.nodes.active = active
    original[REPLACED_KEY], node[REPLACES_KEY], node[ANIMATED_KEY] = mark, mark, was_animated
    move_links(original, node)


def _load(scene: bpy.types.Scene, path: Path, shown: bpy.types.Image | None) -> bpy.types.Image:
    """The frames as an image sequence: the one that is shown, read anew, if it is of this folder."""
    if shown is not None and Path(bpy.path.abspath(shown.filepath)).resolve() == path:
        shown.reload()
        return shown
    image = bpy.data.images.load(str(path), check_existing=False)
    image.name = f"{scene.name} Stylised"
    image.filepath = blend_path(path.parent) + path.name
    image.source = "SEQUENCE"
    image.colorspace_settings.name = "sRGB"
    return image


def _set_frames(node: bpy.types.CompositorNodeImage, shot: Shot, first_number: int) -> None:
    """Have an image node show each frame's file; when only every n-th frame was stylised, each until the next one.

    Args:
        node: The node, which has its image.
        shot: The shot.
        first_number: The number in the name of the first frame's file: of that frame; or 0, and then every frame from
            the first to the last one has a file.
    """
    first, last = shot.frames[0], shot.frames[-1]
    step = shot.frames[1] - first if len(shot.frames) > 1 else 1
    node.frame_start, node.frame_duration = first, last - first + 1
    node.frame_offset = first_number - 1  # Blender counts from one
    node.use_auto_refresh, node.use_cyclic = True, False
    node.driver_remove("frame_offset")
    if step > 1 and first_number == first:
        # Simple enough for Blender to compute it even where scripts in files may not run.
        into = f"min(max(frame - {first}, 0), {last - first})"
        driver = node.driver_add("frame_offset").driver
        driver.expression = f"{first - 1} - fmod({into}, {step})"


def _remove(node: bpy.types.CompositorNodeImage) -> None:
    tree, image, was_animated = node.id_data, node.image, node[ANIMATED_KEY]
    node.driver_remove("frame_offset")
    tree.nodes.remove(node)
    animation = tree.animation_data
    if not was_animated and animation and not (animation.action or len(animation.drivers) or len(animation.nla_tracks)):
        tree.animation_data_clear()
    _drop(image)


def _drop(image: bpy.types.Image | None) -> None:
    """Remove an image that nothing shows any more."""
    if image is not None and image.users == 0:
        bpy.data.images.remove(image)


def _warning(scene: bpy.types.Scene, shot: Shot) -> str:
    render = scene.render
    if not render.use_compositing:
        return (
            f"Scene {scene.name!r} is rendered without its compositor; turn on Output > Post Processing > Compositing"
        )
    size = tuple(side * render.resolution_percentage // 100 for side in (render.resolution_x, render.resolution_y))
    if size != (shot.width, shot.height):
        return (
            f"Scene {scene.name!r} renders {size[0]}x{size[1]} px and the frames have {shot.width}x{shot.height} px; "
            "set Output > Resolution to that size"
        )
    return colour_warning(scene, sequencer=False)
