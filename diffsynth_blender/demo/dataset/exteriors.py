"""Landscapes of the training scenes: streets, woods, castles, mountains with a lake."""

from __future__ import annotations

import numpy as np

from .. import materials, shapes
from ..materials import GROUND_INDEX
from .characters import place_character
from .grounds import add_ground, put
from .palettes import turned
from .stage import Stage
from .surfaces import glass, metal, patterned, plain
from .things import make_house, make_tree, place_thing


def build_exterior(stage: Stage) -> None:
    """A street, a wood, a castle or mountains."""
    stage.pick((_street, _wood, _castle, _mountains))(stage)


def _along(stage: Stage, across: float, away: float) -> tuple[float, float]:
    """A place by its distances to the right of and behind the middle, as the camera sees it."""
    right = stage.facing + np.pi / 2
    return (
        float(across * np.cos(right) - away * np.cos(stage.facing)),
        float(across * np.sin(right) - away * np.sin(stage.facing)),
    )


def _street(stage: Stage) -> None:
    add_ground(stage, stage.pick(("grass", "stone", "tiles", "plain floor", "snow")), bumps=0.0)
    road = plain(stage, "#5a5d63", 0.9)
    turn = stage.facing + np.pi / 2
    stage.add(
        "block", road, (*_along(stage, 0, -0.6), -0.08), (40, 1.5, 0.1), rotation=(0, 0, turn), index=GROUND_INDEX
    )
    for number in range(stage.pick((3, 4, 5))):
        x, y = _along(stage, -3.6 + 1.9 * number + stage.uniform(-0.2, 0.2), stage.uniform(1.2, 1.8))
        size = stage.uniform(1.4, 2.2)
        stage.taken.append((x, y, 0.5 * size))
        stage.names.append(make_house(stage, x, y, 0.0, size))
    for across in (-2.6, 0.3, 2.8):
        if stage.chance(0.6):
            (_lamppost if stage.chance(0.5) else make_tree)(stage, *_along(stage, across, 0.45), 0.0, 0.9)
    for across in (-1.5, 1.2):
        if stage.chance(0.7):
            _car(stage, *_along(stage, across + stage.uniform(-0.6, 0.6), -0.5), turn)
    if stage.chance(0.5):
        place_character(stage, *_along(stage, stage.uniform(-1, 1), 0.35), 0.0, 0.6)
    stage.place = "street"


def _lamppost(stage: Stage, x: float, y: float, z: float, size: float) -> None:
    place = stage.group(x, y, z, size, 0.0)
    post = metal("#3c4048", 0.4)
    place("cylinder", post, (0, 0, 0), (0.07, 0.07, 1.7))
    place("cone", post, (0, 0, 1.68), (0.4, 0.4, 0.16))
    place("sphere", glass("#fff2cc", 0.3), (0, 0, 1.48), 0.22)


def _car(stage: Stage, x: float, y: float, turn: float) -> None:
    place = stage.group(x, y, 0.02, stage.uniform(0.8, 1.0), turn + stage.pick((0.0, np.pi)))
    paint = materials.surface("paint", "plain", [stage.pick(stage.palette)], roughness=0.15)
    window, tyre = plain(stage, "#26323f", 0.08), plain(stage, "#1c1c20", 0.8)
    place("cube", paint, (0, 0, 0.1), (1.5, 0.7, 0.36))
    place("cube", window, (-0.05, 0, 0.36), (0.85, 0.62, 0.34))
    place("block", paint, (-0.05, 0, 0.62), (0.6, 0.5, 0.03))
    for along in (-0.4, 0.42):
        for side in (-1, 1):
            place("cylinder", tyre, (along, 0.27 * side + 0.05, 0.14), (0.32, 0.32, 0.12), (np.pi / 2, 0, 0))
    stage.names.append("car")


def _wood(stage: Stage) -> None:
    add_ground(stage, stage.pick(("grass", "grass", "snow", "sand")), bumps=stage.uniform(0.1, 0.35))
    stone = patterned(stage, "noise", ("#7d8087", "#9a9da3", "#66696f"))
    for _ in range(stage.pick((7, 9, 11))):
        put(stage, lambda *at: stage.names.append(make_tree(*at)), 2.4, stage.uniform(0.9, 1.9))
    for _ in range(stage.pick((1, 2, 3))):
        size = stage.uniform(0.4, 0.9)
        spot = stage.find_place(1.6, 0.4 * size)
        if spot is not None:
            rotation = stage.rng.uniform(0, 6.3, 3)
            stage.add(
                "icosphere", stone, (*spot, stage.height(*spot)), (size, size * 0.8, size * 0.7), rotation=rotation
            )
            stage.names.append("rock")
    make = stage.pick((place_character, place_character, place_thing))
    put(stage, make, 1.0, stage.uniform(0.8, 1.1))
    stage.place = "forest"


def _castle(stage: Stage) -> None:
    add_ground(stage, stage.pick(("grass", "grass", "stone", "snow", "sand")), bumps=0.05)
    stone = patterned(stage, stage.pick(("bricks", "noise", "plain")), (stage.palette[1], "#b8b0a6"), 1.5)
    roof, flag = plain(stage, stage.palette[0]), plain(stage, stage.palette[2])
    corners = [(-1.3, 0), (1.3, 0), (-1.3, 2.0), (1.3, 2.0)]
    for across, away in corners:
        x, y = _along(stage, across, away)
        tall = stage.uniform(1.5, 2.2)
        stage.taken.append((x, y, 0.5))
        stage.add("cylinder", stone, (x, y, -0.1), (0.9, 0.9, tall))
        stage.add("cone", roof, (x, y, 0.9 * tall - 0.12), (1.05, 1.05, 0.8))
        stage.add("block", flag, (x + 0.15, y, 0.9 * tall + 0.75), (0.3, 0.02, 0.18))
    turn = stage.facing + np.pi / 2
    for across, away, size in ((0, 0, (2.4, 0.3, 0.95)), (0, 2.0, (2.4, 0.3, 1.1)), (0, 1.3, (1.0, 1.0, 1.8))):
        stage.add("block", stone, (*_along(stage, across, away), -0.05), size, rotation=(0, 0, turn))
    for across in np.arange(-0.8, 0.9, 0.32):
        stage.add("block", stone, (*_along(stage, float(across), 0.0), 0.85), (0.16, 0.3, 0.18), rotation=(0, 0, turn))
    stage.add(
        "block", plain(stage, "#4a2f1c"), (*_along(stage, 0, -0.1), -0.05), (0.5, 0.14, 0.65), rotation=(0, 0, turn)
    )
    stage.names.append("castle with towers")
    for across in (-0.9, 1.0):
        if stage.chance(0.6):
            place_character(stage, *_along(stage, across, -1.1), 0.0, 0.6)


def _mountains(stage: Stage) -> None:
    add_ground(stage, stage.pick(("grass", "snow", "sand", "stone")), bumps=0.08)
    rock = patterned(stage, "noise", stage.pick((("#6f7480", "#8d929c", "#e8edf2"), ("#8a6a4f", "#a98a6a", "#6b5140"))))
    for _ in range(stage.pick((4, 5, 6))):
        x, y = _along(stage, stage.uniform(-9, 9), stage.uniform(7, 13))
        size = stage.uniform(2.5, 4.5)
        mesh = shapes.deformed(stage.meshes["hill"], "peak", lambda p: np.c_[p[:, :2], p[:, 2] ** 1.6])
        stage.add(mesh, rock, (x, y, -0.2), (size, size, size * stage.uniform(0.6, 1.1)), rotation=(0, 0, size))
    water = materials.surface("water", "plain", [turned(stage.rng, "#2f6f8f")], roughness=0.06)
    stage.add(
        "cylinder", water, (*_along(stage, stage.uniform(-1, 1), 1.6), 0.02), (5.5, 4.0, 0.06), index=GROUND_INDEX
    )
    for _ in range(stage.pick((3, 5))):
        put(stage, lambda *at: stage.names.append(make_tree(*at)), 1.8, stage.uniform(0.7, 1.4))
    put(stage, stage.pick((place_character, place_thing)), 1.0, stage.uniform(0.7, 1.0))
    if not stage.taken:
        stage.taken.append((0.0, 0.0, 0.5))
    stage.names.append("lake")
    stage.place = "mountains"
