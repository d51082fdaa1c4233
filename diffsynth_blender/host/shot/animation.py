"""Keyframes and drivers of the artist's settings as numbers by scene frame.

Values are read from an evaluated copy of the scene that holds nothing but its animation: F-curves, drivers and NLA
count as Blender computes them, at 0.1 ms a frame however heavy the scene is, and the artist's scene stays where it is.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import bpy

from ...protocol import CONTROL_KINDS, Animation

ANIMATED = ("guidance_scale", "deflicker.strength", *(f"controls.{kind}.scale" for kind in CONTROL_KINDS))
"""What can be keyframed: paths below `scene.diffsynth`, which are the keys of `Settings.animation` too."""


def sample(scene: bpy.types.Scene, frames: Sequence[int]) -> dict[str, tuple[float, ...]]:
    """What changes or may change along the shot.

    Args:
        scene: with the settings.
        frames: scene frames, rising; at least one.

    Returns:
        A value for each frame by each path of `ANIMATED`; empty where the scene has no animation at all.
    """
    if scene.animation_data is None:
        return {}
    values: dict[str, list[float]] = {path: [] for path in ANIMATED}
    with _animation_alone(scene) as copy:
        for frame in frames:
            copy.frame_set(frame)
            chosen = copy.evaluated_get(copy.view_layers[0].depsgraph).diffsynth
            for path in ANIMATED:
                # Rounded because properties are 32-bit, see choices.py.
                values[path].append(round(chosen.path_resolve(path), 6))
    return {path: tuple(samples) for path, samples in values.items()}


def animations(samples: dict[str, tuple[float, ...]], frames: Sequence[int]) -> tuple[Animation, ...]:
    """Those of the samples that change, at the frames where the change is not linear."""
    return tuple(
        _thinned(Animation(path, tuple(frames), values))
        for path, values in samples.items()
        if any(value != values[0] for value in values)
    )


def _thinned(animation: Animation) -> Animation:
    """The same without frames whose value lies on the line between those kept: a hold is two, not thousands."""
    kept = [0]
    last = len(animation.frames) - 1
    for place in range(1, last):
        before, after = kept[-1], place + 1
        share = (animation.frames[place] - animation.frames[before]) / (
            animation.frames[after] - animation.frames[before]
        )
        line = animation.values[before] + share * (animation.values[after] - animation.values[before])
        if animation.values[place] != line:
            kept.append(place)
    kept.append(last)
    return Animation(
        animation.key,
        tuple(animation.frames[place] for place in kept),
        tuple(animation.values[place] for place in kept),
    )


@contextmanager
def _animation_alone(scene: bpy.types.Scene) -> Iterator[bpy.types.Scene]:
    """A copy of the scene without objects and strips; it is removed again."""
    copy = scene.copy()
    try:
        for collection in list(copy.collection.children):
            copy.collection.children.unlink(collection)
        for item in list(copy.collection.objects):
            copy.collection.objects.unlink(item)
        copy.sequence_editor_clear()
        yield copy
    finally:
        bpy.data.scenes.remove(copy)
