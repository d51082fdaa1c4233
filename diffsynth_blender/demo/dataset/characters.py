"""Simple characters of the training scenes, put together from a few shapes each; their front is -y."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .stage import Place, Stage
from .surfaces import glowing, metal, plain, random_surface


def place_character(stage: Stage, x: float, y: float, z: float, size: float) -> None:
    """Put one character of about `size` at a place, turned roughly to the camera, and remember its name."""
    make: Callable[[Stage, Place], str] = stage.pick((_robot, _doll, _cat, _bird, _snowman, _ghost))
    stage.names.append(make(stage, stage.group(x, y, z, size, stage.towards_camera(0.8))))


def _eyes(stage: Stage, place: Place, y: float, z: float, apart: float, size: float) -> None:
    white, black = plain(stage, "#f4f4f0", 0.3), plain(stage, "#15151c", 0.15)
    for side in (-1, 1):
        place("sphere", white, (side * apart, y, z), size)
        place("sphere", black, (side * apart, y - 0.38 * size, z + 0.22 * size), 0.55 * size)


def _robot(stage: Stage, place: Place) -> str:
    body = random_surface(stage)[0] if stage.chance(0.5) else metal(stage.palette[0], stage.uniform(0.2, 0.45))
    joints, light = metal("#8a8f98", 0.3), glowing(stage.pick(("#7df9ff", "#ffd166", "#ff5d5d")), 2.0)
    for side in (-1, 1):
        place("cylinder", joints, (0.16 * side, 0, 0), (0.16, 0.16, 0.32))
        place("cube", body, (0.16 * side, -0.05, 0), (0.24, 0.34, 0.12))
        place("capsule", body, (0.42 * side, 0, 0.3), (0.25, 0.25, 0.5), (stage.uniform(-0.5, 0.5), 0.15 * side, 0))
    place("cube", body, (0, 0, 0.26), (0.72, 0.5, 0.62))
    place("cylinder", joints, (0, 0, 0.76), (0.2, 0.2, 0.12))
    place("cube", body, (0, 0, 0.84), (0.55, 0.48, 0.45))
    for side in (-1, 1):
        place("sphere", light, (0.12 * side, -0.2, 0.98), 0.12)
    place("cylinder", joints, (0, 0, 1.2), (0.04, 0.04, 0.18))
    place("sphere", light, (0, 0, 1.34), 0.1)
    return "robot"


def _doll(stage: Stage, place: Place) -> str:
    skin = plain(stage, stage.pick(("#f1c9a5", "#d8a47f", "#8d5a3c", "#e8b48c")), 0.55)
    top, bottom = random_surface(stage)[0], plain(stage, stage.palette[1], 0.7)
    for side in (-1, 1):
        swing = stage.uniform(-0.4, 0.4)
        place("capsule", bottom, (0.11 * side, 0.1 * swing, 0), (0.22, 0.22, 0.5), (0.4 * swing, 0, 0))
        place("capsule", skin, (0.27 * side, 0, 0.46), (0.16, 0.16, 0.42), (0.8 * swing, -0.35 * side, 0))
    place("cone" if stage.chance(0.4) else "capsule", top, (0, 0, 0.32), (0.62, 0.5, 0.55))
    place("sphere", skin, (0, 0, 0.8), 0.42)
    hair = plain(stage, stage.pick(("#2b1d14", "#6b4426", "#d9b25f", "#a33b20", stage.palette[2])), 0.8)
    place("dome", hair, (0, 0.03, 1.0), (0.46, 0.46, 0.5), (-0.25, 0, 0))
    _eyes(stage, place, -0.17, 0.93, 0.08, 0.09)
    return stage.pick(("doll", "little person", "child"))


def _cat(stage: Stage, place: Place) -> str:
    fur = random_surface(stage)[0] if stage.chance(0.3) else plain(
        stage, stage.pick(("#d98a3d", "#6d6a66", "#2c2a2b", "#efe6d8", "#8a5a33")), 0.9
    )  # fmt: skip
    is_cat = stage.chance(0.5)
    for side in (-1, 1):
        for end in (-0.3, 0.32):
            place("capsule", fur, (0.15 * side, end, 0), (0.24, 0.24, 0.42))
    place("sphere", fur, (0, 0, 0.24), (0.5, 0.95, 0.45))
    place("sphere", fur, (0, -0.45, 0.42), 0.46)
    for side in (-1, 1):
        if is_cat:
            place("cone", fur, (0.13 * side, -0.42, 0.78), (0.2, 0.14, 0.22))
        else:
            place("capsule", fur, (0.22 * side, -0.42, 0.5), (0.22, 0.16, 0.36), (0, 0.3 * side, 0))
    place("sphere", plain(stage, "#2a1c1c", 0.3), (0, -0.7, 0.58), 0.09 if is_cat else 0.14)
    place("capsule", fur, (0, 0.42, 0.42), (0.16, 0.16, 0.55), (-0.6, 0, 0))
    _eyes(stage, place, -0.62, 0.66, 0.1, 0.09)
    return "cat" if is_cat else "dog"


def _bird(stage: Stage, place: Place) -> str:
    feathers, other = plain(stage, stage.palette[0], 0.7), plain(stage, stage.palette[2], 0.7)
    beak = plain(stage, "#f2a33a", 0.4)
    place("sphere", feathers, (0, 0.05, 0.1), (0.62, 0.85, 0.6))
    place("sphere", feathers, (0, -0.3, 0.5), 0.46)
    place("cone", beak, (0, -0.5, 0.72), (0.16, 0.16, 0.3), (np.pi / 2, 0, 0))
    place("cone", other, (0, 0.35, 0.38), (0.3, 0.12, 0.5), (-1.2, 0, 0))
    for side in (-1, 1):
        place("sphere", other, (0.28 * side, 0.08, 0.2), (0.14, 0.6, 0.4))
        place("cylinder", beak, (0.12 * side, 0, 0), (0.05, 0.05, 0.16))
    _eyes(stage, place, -0.42, 0.74, 0.11, 0.1)
    return stage.pick(("bird", "toy bird"))


def _snowman(stage: Stage, place: Place) -> str:
    white, hat = plain(stage, "#f2f4f8", 0.7), random_surface(stage)[0]
    place("sphere", white, (0, 0, 0), 0.8)
    place("sphere", white, (0, 0, 0.66), 0.56)
    place("cylinder", hat, (0, 0, 1.12), (0.62, 0.62, 0.06))
    place("cylinder", hat, (0, 0, 1.12), (0.4, 0.4, 0.36))
    place("cone", plain(stage, "#ee7f2d"), (0, -0.26, 0.94), (0.1, 0.1, 0.32), (np.pi / 2, 0, 0))
    _eyes(stage, place, -0.22, 1.0, 0.1, 0.07)
    return "snowman"


def _ghost(stage: Stage, place: Place) -> str:
    sheet = random_surface(stage)[0] if stage.chance(0.6) else plain(stage, "#f0f0f4", 0.8)
    place("column", sheet, (0, 0, 0), (0.9, 0.9, 0.55))
    place("dome", sheet, (0, 0, 0.7), (0.64, 0.64, 0.7))
    _eyes(stage, place, -0.27, 0.72, 0.12, 0.14)
    return stage.pick(("ghost", "little monster"))
