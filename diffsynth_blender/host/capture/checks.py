"""What a capture refuses, each with a sentence that names the setting and the remedy.

Looks at a scene and changes nothing.
"""

from collections.abc import Sequence
from itertools import chain

import bpy

from ...protocol import Camera
from ...protocol.frames import FRAME_LIMIT
from .. import compat
from .cameras import final_size, shot_cameras

SIZE_MINIMUM = 16  # px; smaller frames have no room for a latent
CAMERA_TYPES = ("PERSP", "ORTHO")


class CaptureError(ValueError):
    """A scene that cannot be captured, or a render that failed. The message is one line for the artist."""


def check_scene(scene: bpy.types.Scene, frames: range) -> None:
    """Raise `CaptureError` for the first thing that cannot be captured exactly.

    Args:
        scene: The artist's scene.
        frames: Scene frames to stylise.
    """
    name, render = scene.name, scene.render
    if render.engine not in (compat.CYCLES, *compat.EEVEE_ENGINES):
        raise CaptureError(f"Scene {name!r} renders with {render.engine}: set Render Engine to Cycles or EEVEE.")
    if not frames:
        raise CaptureError(
            f"The frame range of scene {name!r} is empty: let it end after it starts, in steps of 1 or more."
        )
    if frames[0] < -FRAME_LIMIT or frames[-1] > FRAME_LIMIT:
        raise CaptureError(
            f"Frame range {frames[0]} to {frames[-1]} of scene {name!r} leaves {-FRAME_LIMIT} to {FRAME_LIMIT}: "
            "move the shot."
        )
    _check_picture(scene)
    _check_layers(scene)
    cameras = shot_cameras(scene, frames[0], frames[-1])
    if not cameras:
        raise CaptureError(f"Scene {name!r} has no camera: add one and make it the active camera.")
    for camera in cameras:
        check_camera(camera)


def check_camera(camera: bpy.types.Object | None) -> None:
    """Raise `CaptureError` for a camera whose rays are not those of a matrix."""
    if camera is None:
        raise CaptureError("The scene has lost its camera during the capture: make one the active camera.")
    if camera.type != "CAMERA":
        raise CaptureError(f"The scene looks through {camera.name!r}, which is no camera: choose a camera.")
    if camera.data.type not in CAMERA_TYPES:
        raise CaptureError(
            f"Camera {camera.name!r} is of type {camera.data.type}: set its Lens Type to Perspective or Orthographic."
        )


def check_camera_motion(engine: str, camera: bpy.types.Object, before: Camera, after: Camera) -> None:
    """Raise `CaptureError` for camera moves between two frames that the motion pass gets wrong.

    Measured in Cycles: a moving orthographic camera is taken for a perspective one (off by a tenth of the picture and
    more), a change of lens shift is left out, and so is one of focal length in Blender 4.2 (off by 4 px and 6 px where
    the test scene moves by 7). EEVEE gets all of them right, and Cycles all other moves.
    """
    if engine != compat.CYCLES:
        return
    camera_name, frames = repr(camera.name), f"between frames {before.frame} and {after.frame}"
    if camera.data.type == "ORTHO":
        if _differ(before.world_to_camera, after.world_to_camera) or _differ(before.projection, after.projection):
            raise CaptureError(
                f"Orthographic camera {camera_name} moves {frames}, and Cycles gets its motion wrong: "
                "keep it still, make it a perspective camera, or render with EEVEE."
            )
        return
    if _differ(*([row[2:3] for row in record.projection[:2]] for record in (before, after))):
        raise CaptureError(
            f"The lens shift of camera {camera_name} changes {frames}, and Cycles leaves that out of the motion: "
            "remove its key frames, or render with EEVEE."
        )
    if not compat.CYCLES_FOLLOWS_ZOOM and _differ(
        *([row[:2] for row in record.projection[:2]] for record in (before, after))
    ):
        raise CaptureError(
            f"Camera {camera_name} zooms {frames}, and Cycles leaves that out of the motion in this Blender: "
            "remove the key frames of its lens, render with EEVEE, or use Blender 4.5 or later."
        )


def _differ(matrix: Sequence[Sequence[float]], other: Sequence[Sequence[float]]) -> bool:
    pairs = zip(chain(*matrix), chain(*other), strict=True)
    return any(abs(value - second) > 1e-6 * max(1.0, abs(value)) for value, second in pairs)


def _check_picture(scene: bpy.types.Scene) -> None:
    name, render = scene.name, scene.render
    if render.use_multiview:
        raise CaptureError(f"Scene {name!r} renders in stereo: turn off Stereoscopy in Output properties.")
    if render.pixel_aspect_x != render.pixel_aspect_y:
        raise CaptureError(
            f"Scene {name!r} has pixels of aspect {render.pixel_aspect_x:g}:{render.pixel_aspect_y:g}: "
            "set Aspect X and Y in Output properties to 1."
        )
    if render.use_border:
        raise CaptureError(f"Scene {name!r} renders a region only: turn off Render Region in Output properties.")
    width, height = final_size(scene)
    if min(width, height) < SIZE_MINIMUM:
        raise CaptureError(
            f"Frames of scene {name!r} are {width}x{height} px: raise Resolution or its percentage to "
            f"{SIZE_MINIMUM}x{SIZE_MINIMUM} at least."
        )
    device = scene.display_settings.display_device
    if device != "sRGB":
        raise CaptureError(
            f"Scene {name!r} is shown on display device {device!r}: set Display Device in Color Management to sRGB."
        )


def _check_layers(scene: bpy.types.Scene) -> None:
    if not any(layer.use for layer in scene.view_layers):
        raise CaptureError(
            f"Scene {scene.name!r} has no view layer to render: turn on Use for Rendering for one of its view layers."
        )
