"""Open ground and studio backdrops of the training scenes, and the still lifes on them."""

from __future__ import annotations

from collections.abc import Callable

import bpy
import numpy as np

from .. import materials, shapes
from .characters import place_character
from .palettes import GROUNDS, turned
from .stage import Stage
from .surfaces import plain
from .things import place_thing


def build_still_life(stage: Stage) -> None:
    """Three to eight things, now and then a character, on open ground."""
    add_ground(stage, stage.pick(list(GROUNDS)))
    if stage.chance(0.3):
        _hills(stage)
    spread = stage.uniform(0.9, 1.8)
    for _ in range(stage.pick((3, 4, 5, 6, 7, 8))):
        size = stage.pick(
            (stage.uniform(0.5, 0.9), stage.uniform(0.9, 1.5), stage.uniform(1.4, 2.1)), p=(0.35, 0.45, 0.2)
        )
        put(stage, place_character if stage.chance(0.25) else place_thing, spread, size)


def add_backdrop(stage: Stage) -> None:
    """A photographer's seamless paper: a floor that bends up behind the things."""
    colour = stage.pick((*stage.palette, "#e8e6e1", "#3a3c42", "#f4f1ea"))
    paper = plain(stage, colour, 0.9)
    floor = bpy.data.meshes.new("backdrop")
    away = np.r_[np.linspace(-12, 2.5, 12), 2.5 + 1.5 * np.sin(np.linspace(0.1, np.pi / 2, 10)), 4.0]
    up = np.r_[np.zeros(12), 1.5 - 1.5 * np.cos(np.linspace(0.1, np.pi / 2, 10)), 14.0]
    corners = [(side * 16.0, y, z) for y, z in zip(away, up, strict=True) for side in (-1, 1)]
    count = len(away)
    floor.from_pydata(corners, [], [(2 * i, 2 * i + 1, 2 * i + 3, 2 * i + 2) for i in range(count - 1)])
    floor.polygons.foreach_set("use_smooth", np.ones(count - 1, bool))
    # The paper's front is -y; the camera's side is where it looks from.
    stage.add(floor, paper, (0, 0, 0), 1.0, rotation=(0, 0, stage.facing + np.pi / 2), index=materials.GROUND_INDEX)
    stage.place = stage.pick(("plain backdrop", "seamless paper", "studio backdrop"))


def build_studio(stage: Stage) -> None:
    """One to four things or characters before a backdrop."""
    add_backdrop(stage)
    for _ in range(stage.pick((1, 2, 3, 4))):
        make = place_character if stage.chance(0.35) else place_thing
        put(stage, make, 0.8, stage.uniform(0.9, 1.6))
    if not stage.taken:
        stage.taken.append((0.0, 0.0, 0.8))
        place_character(stage, 0.0, 0.0, 0.0, 1.4)


def add_ground(stage: Stage, name: str, *, bumps: float | None = None) -> None:
    """Open ground to the horizon, uneven where that suits it."""
    pattern, colours, scale = GROUNDS[name]
    if pattern in ("plain", "rings", "dots", "bricks", "checker") and stage.chance(0.6):
        picked = stage.rng.permutation(5)
        colours = tuple(stage.palette[i] for i in picked[:2])
    colours = [turned(stage.rng, colour) for colour in colours]
    material = materials.surface(
        "ground", pattern, colours, scale=scale * stage.uniform(0.7, 1.4), roughness=stage.uniform(0.35, 0.85),
        fade=stage.uniform(7, 12),
    )  # fmt: skip
    if bumps is None:
        bumps = stage.uniform(0.05, 0.35) if name in ("sand", "grass", "snow") and stage.chance(0.75) else 0.0
    waves = [(stage.rng.normal(0, 0.5, 2), stage.uniform(0, 6.3)) for _ in range(4)]

    def height(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return bumps * sum(np.sin(k[0] * x + k[1] * y + phase) for k, phase in waves) / 2

    stage.height = lambda x, y: float(height(x, y))
    stage.add(shapes.terrain(160.0, height), material, (0, 0, 0), 1.0, index=materials.GROUND_INDEX)
    stage.place = name


def put(stage: Stage, make: Callable[..., object], spread: float, size: float) -> None:
    """Put one thing or character of about `size` where there is room."""
    spot = stage.find_place(spread, 0.55 * size)
    if spot is not None:
        make(stage, *spot, stage.height(*spot), size)


def _hills(stage: Stage) -> None:
    tones = stage.pick((("#5f8f4a", "#7fae5a", "#6a9c50"), ("#8c8fa8", "#a5a8bd", "#979ab2")))
    hills = materials.surface("hills", "noise", [turned(stage.rng, c) for c in tones], scale=1.0, roughness=0.9)
    for _ in range(stage.pick((2, 3, 4, 5, 6))):
        angle, distance, size = stage.uniform(0, 6.3), stage.uniform(16, 34), stage.uniform(4, 10)
        at = (distance * np.cos(angle), distance * np.sin(angle), -0.3)
        stage.add("hill", hills, at, (size, size, size * stage.uniform(0.25, 0.6)))
    stage.names.append("hills")
