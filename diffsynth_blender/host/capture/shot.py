"""What job.json says of a shot, as far as it is known before the first render.

Reads the scene; the cameras are added as the frames are rendered.
"""

from fractions import Fraction

import bpy

from ...protocol import Shot
from .. import compat
from .cameras import final_size, shot_cameras
from .folder import OBJECTS_PATTERN, PASSES_PATTERN, SOURCE_PATTERN
from .passes import channels

SAMPLE_OFFSET = (0.0, 0.0)
"""From the pixel's centre [px]. Measured in all versions: Cycles 0.00001 px; EEVEE 0.001 px on average, up to 0.06 px
on grazing surfaces, where its depth buffer rounds."""


def describe_shot(scene: bpy.types.Scene, frames: range, pass_frames: range, layer: str) -> Shot:
    """The shot without its cameras.

    Args:
        scene: The artist's scene.
        frames: Scene frames to stylise.
        pass_frames: Scene frames with passes.
        layer: Name of the view layer that the passes come from.
    """
    render = scene.render
    width, height = final_size(scene)
    clip_end = min(camera.data.clip_end for camera in shot_cameras(scene, frames[0], frames[-1]))
    return Shot(
        name=scene.name,
        blender=".".join(str(number) for number in bpy.app.version),
        engine=render.engine,
        width=width,
        height=height,
        fps=frame_rate(scene),
        frames=tuple(frames),
        pass_frames=tuple(pass_frames),
        source=SOURCE_PATTERN,
        passes=PASSES_PATTERN,
        channels=channels(layer),
        background_depth=compat.background_depth(render.engine, clip_end),
        sample_offset=SAMPLE_OFFSET,
        cameras=(),
        objects=OBJECTS_PATTERN,
    )


def frame_rate(scene: bpy.types.Scene) -> tuple[int, int]:
    """Frames per second as numerator and denominator."""
    # 23.976 is 24 / 1.001, and no float is 1.001.
    rate = scene.render.fps / Fraction(scene.render.fps_base).limit_denominator(1000)
    return rate.numerator, rate.denominator
