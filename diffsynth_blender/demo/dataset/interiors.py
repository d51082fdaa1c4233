"""Rooms of the training scenes: floor, walls, windows, furniture, and things on it; open towards the camera."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Matrix

from .. import materials
from .characters import place_character
from .palettes import GROUNDS
from .stage import Place, Stage
from .surfaces import glowing, metal, patterned, plain, random_surface
from .things import place_thing

ROOMS = ("living room", "kitchen", "study", "bedroom", "workshop", "gallery")


def build_interior(stage: Stage) -> None:
    """Fill the stage with a room; the camera looks in from where the front wall would be."""
    stage.facing = -np.pi / 2 + stage.uniform(-0.45, 0.45)
    stage.place = stage.pick(ROOMS)
    width, depth, height = stage.uniform(3.6, 5.5), stage.uniform(3.2, 4.8), stage.uniform(2.3, 3.0)
    _walls(stage, width, depth, height)
    room = stage.group(0, 0, 0, 1.0, 0.0)
    _furniture(stage, width, depth)
    _on_the_walls(stage, room, width, depth, height)
    if stage.light == "night" or stage.chance(0.4):
        _lamp(stage, room, (stage.pick((-1, 1)) * 0.36 * width, 0.3 * depth))


def _walls(stage: Stage, width: float, depth: float, height: float) -> None:
    name = stage.pick(("wooden floor", "checkered floor", "tiles", "marble", "plain floor", "plain colour floor"))
    pattern, colours, _ = GROUNDS[name]
    floor = patterned(stage, pattern, colours, 1.6)
    stage.add("block", floor, (0, 0, -0.1), (width, 2.4 * depth, 0.1), index=materials.GROUND_INDEX)
    colour = stage.pick((stage.palette[1], stage.palette[4], "#e8e2d6", "#c9d3d6", "#d9c7b0"))
    paper = stage.pick(("plain", "plain", "stripes", "bricks", "dots"))
    walls = patterned(stage, paper, (colour, stage.palette[1]), 2.2) if paper != "plain" else plain(stage, colour, 0.9)
    # To the overridden looks walls are what the ground is: what is made of gold stands before something else.
    stage.add("block", walls, (0, depth / 2, 0), (width, 0.1, height), index=materials.GROUND_INDEX)
    for side in stage.pick(((-1,), (1,), (-1, 1), (-1, 1))):
        stage.add("block", walls, (side * width / 2, 0, 0), (0.1, depth, height), index=materials.GROUND_INDEX)
    edge = plain(stage, "#f2efe8")
    stage.add("block", edge, (0, depth / 2 - 0.06, 0), (width, 0.04, 0.12))


def _furniture(stage: Stage, width: float, depth: float) -> None:
    for make in stage.rng.permutation([0, 1, 2, 3, 4])[: stage.pick((2, 3))]:
        spot = stage.find_place(0.26 * min(width, depth), 0.6)
        if spot is None:
            continue
        x, y = (float(np.clip(v, -0.36 * s, 0.34 * s)) for v, s in zip(spot, (width, depth), strict=True))
        place = stage.group(x, y, 0, 1.0, stage.pick((0.0, 0.0, 0.35, -0.4, 1.57)))
        (_table, _chair, _shelf, _sofa, _plant)[make](stage, place)
    if not stage.taken:
        stage.taken.append((0.0, 0.0, 0.6))
        _table(stage, stage.group(0, 0, 0, 1.0, 0.0))
    for _ in range(stage.pick((0, 1, 1, 2))):
        spot = stage.find_place(0.22 * min(width, depth), 0.4)
        if spot is not None:
            (place_character if stage.chance(0.5) else place_thing)(stage, *spot, 0.0, stage.uniform(0.5, 0.9))
    rug = random_surface(stage)[0]
    size = (0.55 * width, 0.4 * depth, 0.012)
    stage.add(stage.pick(("cylinder", "block")), rug, (0, -0.3, 0), size, index=materials.GROUND_INDEX)


def _things_on_top(stage: Stage, place: Place, height: float, reach: float) -> None:
    for at in (-0.3, 0.05, 0.35)[: stage.pick((1, 2, 3))]:
        foot = place("block", plain(stage, "#ffffff"), (at * reach, stage.uniform(-0.12, 0.12), height), 0.001)
        place_thing(stage, *foot.location, stage.uniform(0.25, 0.4))


def _table(stage: Stage, place: Place) -> None:
    wood = random_surface(stage)[0] if stage.chance(0.4) else patterned(stage, "wood", ("#8a5a33", "#c08a53"))
    long, height = stage.uniform(1.0, 1.5), stage.uniform(0.45, 0.75)
    if stage.chance(0.3):
        place("cylinder", wood, (0, 0, height), (1.2, 1.2, 0.07))
        place("cylinder", wood, (0, 0, 0), (0.16, 0.16, height / 0.9))
        place("cylinder", wood, (0, 0, 0), (0.7, 0.7, 0.06))
    else:
        place("block", wood, (0, 0, height), (long, 0.75, 0.06))
        for x, y in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
            place("block", wood, (x * (long / 2 - 0.07), y * 0.3, 0), (0.07, 0.07, height))
    stage.names.append("table")
    _things_on_top(stage, place, height + 0.06, long)


def _chair(stage: Stage, place: Place) -> None:
    seat = random_surface(stage)[0]
    place("block", seat, (0, 0, 0.42), (0.46, 0.46, 0.05))
    for x, y in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        place("block", seat, (x * 0.2, y * 0.2, 0), (0.05, 0.05, 0.42 if y < 0 else 0.95))
    for z in (0.62, 0.82):
        place("block", seat, (0, 0.2, z), (0.44, 0.03, 0.1))
    stage.names.append("chair")


def _shelf(stage: Stage, place: Place) -> None:
    wood = patterned(stage, "wood", ("#7a4f2c", "#b07f4a")) if stage.chance(0.6) else plain(stage, stage.palette[3])
    for x in (-0.5, 0.5):
        place("block", wood, (x, 0, 0), (0.05, 0.32, 1.5))
    for z in (0.05, 0.5, 0.97, 1.45):
        place("block", wood, (0, 0, z), (1.0, 0.32, 0.04))
        x = -0.42
        while z < 1.4 and x < 0.4:
            thick, tall = stage.uniform(0.04, 0.1), stage.uniform(0.2, 0.36)
            if stage.chance(0.8):
                book = plain(stage, stage.pick(stage.palette), 0.6)
                place("block", book, (x, 0, z + 0.04), (thick, 0.22, tall), (0, stage.pick((0, 0, 0, 0.2)), 0))
            x += thick + 0.012
    stage.names.append("bookshelf")


def _sofa(stage: Stage, place: Place) -> None:
    cloth = random_surface(stage)[0] if stage.chance(0.4) else plain(stage, stage.pick(stage.palette), 0.95)
    place("cube", cloth, (0, 0, 0.08), (1.6, 0.85, 0.4))
    place("cube", cloth, (0, 0.32, 0.3), (1.6, 0.25, 0.65))
    for side in (-1, 1):
        place("cube", cloth, (0.68 * side, 0, 0.15), (0.26, 0.9, 0.6))
    cushion = random_surface(stage)[0]
    place("cube", cushion, (stage.uniform(-0.4, 0.4), 0.12, 0.42), (0.4, 0.16, 0.38), (-0.3, 0, 0))
    stage.names.append("sofa")


def _plant(stage: Stage, place: Place) -> None:
    place(
        "cone", plain(stage, stage.pick(("#c8654a", stage.palette[0], "#e8e2d6")), 0.7), (0, 0, 0.36), (0.5, 0.5, -0.36)
    )
    leaf = plain(stage, stage.pick(("#2f7d32", "#5f9640", "#3f6b3a")), 0.6)
    for number in range(stage.pick((6, 8, 10))):
        around = 2.4 * number
        tilt = (0.35 + 0.09 * number % 0.6, 0, around)
        at = (0.1 * np.sin(around), -0.1 * np.cos(around), 0.32)
        place("capsule", leaf, at, (0.22, 0.07, stage.uniform(0.6, 0.95)), tilt)
    stage.names.append("plant")


def _on_the_walls(stage: Stage, room: Place, width: float, depth: float, height: float) -> None:
    back = depth / 2 - 0.07
    frame = plain(stage, stage.pick(("#f2efe8", "#3a2a20", "#c9a24a")), 0.4)
    x = -0.36 * width
    while x < 0.36 * width:
        wide, tall = stage.uniform(0.4, 1.0), stage.uniform(0.45, 0.9)
        low = min(stage.uniform(0.95, 1.3), height - tall - 0.15)
        if stage.chance(0.35):
            sky = {"night": ("#182448", 0.6), "dusk": ("#ffb07a", 1.6)}.get(stage.light, ("#d8ecff", 2.2))
            inside = glowing(*sky)
            stage.names.append("window")
        else:
            inside = random_surface(stage)[0]
        room("block", frame, (x + wide / 2, back, low - 0.04), (wide + 0.08, 0.05, tall + 0.08))
        room("block", inside, (x + wide / 2, back - 0.012, low), (wide, 0.05, tall))
        if "window" in stage.names[-1:]:
            room("block", frame, (x + wide / 2, back - 0.02, low), (0.04, 0.05, tall))
            room("block", frame, (x + wide / 2, back - 0.02, low + 0.55 * tall), (wide, 0.05, 0.04))
        x += wide + stage.uniform(0.2, 0.8)


def _lamp(stage: Stage, room: Place, at: tuple[float, float]) -> None:
    tall = stage.uniform(1.0, 1.6)
    stand = metal("#8a8078", 0.35)
    room("cylinder", stand, (*at, 0), (0.03, 0.03, tall / 0.9))
    room("cylinder", stand, (*at, 0), (0.4, 0.4, 0.03))
    room("cone", glowing("#ffe2ae", 2.5), (*at, tall - 0.12), (0.55, 0.55, 0.4))
    lamp = bpy.data.lights.new("lamp", "POINT")
    lamp.energy, lamp.color, lamp.shadow_soft_size = stage.uniform(40, 90), materials.linear("#ffcf94")[:3], 0.15
    item = bpy.data.objects.new("lamp", lamp)
    item.matrix_world = Matrix.Translation((at[0], at[1] - 0.3, tall + 0.1))
    stage.scene.collection.objects.link(item)
    stage.names.append("lamp")
