"""The light of a training scene: by day, at dusk, in a studio or at night; and what lights the overridden looks."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Vector

from .. import materials
from .palettes import SKIES, turned
from .stage import Stage

KINDS = ("day", "dusk", "studio", "night")
SKIES_OF = {
    "day": ("blue sky", "grey sky", "turquoise sky", "pale sky", "blue sky"),
    "dusk": ("sunset sky", "dawn sky", "purple sky"),
    "night": ("night sky", "blue night sky"),
}
GOLD_STUDIO = (
    (0.0, "#4a3018"), (0.48, "#8a6a45"), (0.5, "#b98a52"), (0.56, "#6d4a2a"), (0.72, "#2e1f18"), (0.86, "#fff2dc"),
    (1.0, "#ffffff"),
)  # fmt: skip
WARM_GREY = ((0.0, "#8f8680"), (0.5, "#d9d0c7"), (0.7, "#e9e2da"), (1.0, "#f5f1ec"))
POLAR = ((0.0, "#5f88a8"), (0.49, "#e8f4ff"), (0.54, "#bfe0f5"), (0.7, "#6fa9d4"), (0.85, "#eaf6ff"), (1.0, "#ffffff"))
DIM = {"day": 1.0, "dusk": 0.9, "studio": 1.0, "night": 0.45}
"""How bright the worlds of the overridden looks are."""


def set_light(stage: Stage, *, indoors: bool) -> None:
    """Give the stage a world and lights for `stage.light`; into a room less of the sky falls."""
    if stage.light == "studio":
        _studio(stage)
    else:
        _sky(stage, indoors)
    if stage.light == "night":
        _lamps(stage)
    dim = DIM[stage.light]
    layers = stage.scene.view_layers
    layers["clay"].world_override = materials.sky("grey", WARM_GREY, strength=0.75 * dim)
    layers["gold"].world_override = materials.sky("gold", GOLD_STUDIO, strength=1.1 * dim)
    layers["ice"].world_override = materials.sky("polar", POLAR, strength=0.9 * dim)


def _sky(stage: Stage, indoors: bool) -> None:
    name = stage.pick(SKIES_OF[stage.light])
    stops = [(position, turned(stage.rng, colour)) for position, colour in SKIES[name]]
    clouds = stage.uniform(0.3, 1.0) if stage.light != "night" and stage.chance(0.55) else 0.0
    is_low, is_soft, is_night = stage.light == "dusk", "grey" in name, stage.light == "night"
    stage.scene.world = materials.sky(
        "sky", stops, strength=stage.uniform(0.6, 0.9) * (3.5 if is_night else 1.7 if indoors else 1.0), clouds=clouds,
        cloud_colour="#ffd9c0" if is_low else "#ffffff", seed=stage.uniform(0, 20),
    )  # fmt: skip
    elevation = np.radians(stage.uniform(14, 30) if is_low else stage.uniform(28, 65))
    # From the sun's side the picture is flat, from the other it is dark: mostly light it from the side.
    aside = stage.pick((-1, 1)) * np.radians(np.clip(stage.rng.normal(75, 35), 10, 70 if is_night else 160))
    energy = stage.uniform(1.4, 2.4) if is_night else stage.uniform(1.2, 2.0) if is_soft else stage.uniform(3.2, 5.2)
    colour = "#9db8ff" if is_night else stage.pick(("#ffb878", "#ffd0a0")) if is_low else "#fff4e2"
    sun = bpy.data.lights.new("sun", "SUN")
    sun.energy, sun.color = energy, materials.linear(colour)[:3]
    sun.angle = float(np.radians(stage.uniform(10, 25) if is_soft else stage.uniform(1, 9)))
    azimuth = stage.facing + aside
    direction = (np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation))
    stage.to_light = Vector(direction)
    _add(stage, sun, (0, 0, 0), stage.to_light)
    stage.sky = f"cloudy {name}" if clouds else name


def _studio(stage: Stage) -> None:
    """A large soft key light from the side, a weak fill from the other, sometimes a coloured rim from behind."""
    grey = stage.pick((("#3b3d42", "#55585e"), ("#8f9196", "#c9cbd0"), ("#c9c4bd", "#efece6")))
    stage.scene.world = materials.sky("studio", ((0.0, grey[0]), (1.0, grey[1])), strength=stage.uniform(0.35, 0.7))
    side = stage.pick((-1, 1))
    strong = stage.uniform(330, 560)
    for aside, up, distance, size, energy, colour in (
        (0.9 * side, stage.uniform(0.5, 1.0), 5.0, 2.5, strong, "#fff6ea"),
        (-1.2 * side, 0.3, 5.0, 4.0, 0.25 * strong, "#e6efff"),
        (2.6 * side, 0.6, 4.5, 1.5, stage.pick((0.0, 0.6, 1.0)) * strong, stage.pick(("#ffffff", *stage.palette))),
    ):
        lamp = bpy.data.lights.new("softbox", "AREA")
        lamp.energy, lamp.size, lamp.color = energy, size, materials.linear(colour)[:3]
        azimuth = stage.facing + aside
        away = Vector((np.cos(azimuth) * np.cos(up), np.sin(azimuth) * np.cos(up), np.sin(up)))
        _add(stage, lamp, away * distance + Vector((0, 0, 0.5)), away)
        if lamp.energy == strong and aside == 0.9 * side:
            stage.to_light = away
    stage.sky = ""


def _lamps(stage: Stage) -> None:
    """One to three coloured lamps near what stands there."""
    for _ in range(stage.pick((1, 2, 3))):
        x, y, radius = stage.pick(stage.taken)
        lamp = bpy.data.lights.new("lamp", "POINT")
        lamp.energy, lamp.shadow_soft_size = stage.uniform(90, 200) * (0.7 + radius) ** 2, 0.2
        lamp.color = materials.linear(stage.pick(("#ffc98a", "#ffb060", "#ffd9a8", "#7fb8ff", *stage.palette[:2])))[:3]
        azimuth = stage.facing + stage.uniform(-1.3, 1.3)
        away = radius + stage.uniform(0.7, 1.4)
        place = Vector((x + away * np.cos(azimuth), y + away * np.sin(azimuth), 0.0))
        place.z = stage.height(place.x, place.y) + stage.uniform(0.9, 2.0)
        _add(stage, lamp, place, Vector((0, 0, 1)))


def _add(stage: Stage, lamp: bpy.types.Light, place: Vector | tuple[float, ...], back: Vector) -> None:
    item = bpy.data.objects.new(lamp.name, lamp)
    item.location, item.rotation_euler = place, back.to_track_quat("Z", "Y").to_euler()
    stage.scene.collection.objects.link(item)
