"""The camera of a training scene: lens, height and distance, always on what stands there."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Vector

from .stage import Stage

LENSES = {"wide-angle": (18, 28), "": (28, 55), "telephoto": (60, 110)}
"""Focal lengths [mm] of a sensor 36 mm wide."""
HEIGHTS = {"from below": (1, 6), "": (6, 24), "from above": (28, 62)}
"""Elevations of the camera above what it looks at [degrees]."""


def set_camera(stage: Stage, *, indoors: bool) -> None:
    """Put a camera on the stage's side `facing`; what is unusual about it becomes a word."""
    lens_word = stage.pick(list(LENSES), p=(0.2, 0.6, 0.2))
    height_word = "" if indoors else stage.pick(list(HEIGHTS), p=(0.25, 0.55, 0.2))
    data = bpy.data.cameras.new("camera")
    data.lens = stage.uniform(*LENSES["" if indoors else lens_word])
    camera = bpy.data.objects.new("camera", data)
    stage.scene.collection.objects.link(camera)
    stage.scene.camera = camera
    places = np.array(stage.taken)
    middle = places[:, :2].mean(axis=0)
    reach = float(np.hypot(*(places[:, :2] - middle).T).max()) + 0.9
    elevation = np.radians(stage.uniform(*((3, 16) if indoors else HEIGHTS[height_word])))
    is_close = stage.chance(0.14)
    fill = stage.uniform(0.3, 0.42) if is_close else stage.uniform(0.42, 0.78)
    distance = reach * data.lens / 18 * fill + 0.6
    target = Vector((*middle, 0.0)) + Vector(stage.rng.normal(0, 0.2, 3)) * reach * 0.5
    target.z = stage.uniform(0.6, 1.0) if indoors else stage.uniform(0.2, 1.0) + stage.height(target.x, target.y)
    away = Vector((
        np.cos(stage.facing) * np.cos(elevation), np.sin(stage.facing) * np.cos(elevation), np.sin(elevation),
    ))  # fmt: skip
    place = target + distance * away
    place.z = max(place.z, stage.height(place.x, place.y) + 0.35)
    camera.location = place
    camera.rotation_euler = (place - target).to_track_quat("Z", "Y").to_euler()
    camera.rotation_euler.rotate_axis("Z", float(stage.rng.normal(0, 0.03)))
    data.clip_start = 0.05
    stage.view = [word for word in ("close-up" if is_close else "", "" if indoors else lens_word, height_word) if word]
