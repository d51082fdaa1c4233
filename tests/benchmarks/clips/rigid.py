"""Rigid: a toy railway. Things of all sizes pass in front of each other, and the camera travels along.

A train crosses before houses and behind a fence, a mill turns, a ball rolls against the train's way.
"""

from __future__ import annotations

import bpy
import numpy as np

from .studio import Look, Paint, Studio, animate, mesh_of

GRASS = Paint("Grass", ("#7fa862", "#94b876"), ("#b89a62", "#c9b27e", "#7d6238"), "speckle", 5.0, 0.5, 0.9)
GRAVEL = Paint("Gravel", ("#a8a29a", "#98928c"), ("#5f6f8c", "#6d7f9e", "#d5dbe6"), "cells", 9.0, 1.5, 0.9)
WALLS = Paint("Walls", ("#e8d9b5", "#dfcda6"), ("#a44a3f", "#b85f4d", "#e6d3bd"), "bricks", 2.6, 1.0, 0.8)
PLASTER = Paint("Plaster", ("#c9d6d5", "#b9c9c8"), ("#d8b45a", "#e3c577", "#8f6a2a"), "cells", 4.0, 1.0, 0.8)
ROOF = Paint("Roof", ("#b5543f", "#a84a38"), ("#3f5c7a", "#4c6b8c", "#1f2f44"), "stripes", 38.0, 1.5, 0.6)
ENGINE = Paint("Engine", ("#3f6fae", "#4a7cbd"), ("#2e7d5b", "#3b9069", "#f2d264"), "stripes", 30.0, 2.0, 0.35)
WAGON = Paint("Wagon", ("#c9843f", "#d59350"), ("#8e3b62", "#a34c75", "#e8c4d4"), "grain", 22.0, 2.0, 0.5)
CARGO = Paint("Cargo", ("#8d9b4f", "#7d8b44"), ("#e9e3d0", "#dcd3b8", "#5b4a3a"), "tiles", 6.0, 2.0, 0.6)
WHEEL = Paint("Wheel", ("#44464c", "#505258"), ("#6b4a2f", "#7a563a", "#e0b070"), "dots", 12.0, 2.0, 0.5)
WOOD = Paint("Wood", ("#d9c7a8", "#cbb793"), ("#e4e8ea", "#cfd8dc", "#5d7582"), "grain", 16.0, 2.0, 0.7)
BALL = Paint("Ball", ("#d64f4f", "#e9c64c"), ("#2f9fb5", "#f0efe6", "#123c47"), "dots", 7.0, 2.4, 0.3)
LEAVES = Paint("Leaves", ("#4f8a4a", "#5f9a56"), ("#c7742e", "#d68f3c", "#7a3a1a"), "speckle", 9.0, 1.5, 0.8)
HILLS = Paint("Hills", ("#8fb09a", "#9dbba6"), ("#7a6f9e", "#8b80ad", "#4f4672"), "speckle", 2.2, 0.3, 0.9)
SPEED = 3.4  # of the train over the shot


def build(look: Look) -> bpy.types.Scene:
    """Build the scene in one look."""
    studio = Studio(look)
    studio.sky(
        [(0.0, "#8ea5b5"), (0.5, "#d5e6ef"), (0.62, "#9cc4e6"), (1.0, "#4f86c2")],
        [(0.0, "#8f7d72"), (0.5, "#f6e3c8"), (0.62, "#e8b48f"), (1.0, "#6f5a8e")],
        "#cfe0f2",
        0.55,
    )
    studio.sun((-0.55, -0.62, 0.75), 3.3, "#fff2dc")
    _add_land(studio)
    _add_town(studio)
    _add_train(studio)
    _add_mill(studio)
    _add_fence(studio)
    _add_ball(studio)
    studio.camera(
        34,
        lambda t: ((-1.0 + 1.9 * t, -6.1 + 0.5 * t, 1.75 + 0.15 * t), (-0.35 + 1.1 * t, 0.6, 0.72 + 0.06 * t)),
    )
    return studio.scene


def _add_land(studio: Studio) -> None:
    plane = [(-60, -12, 0), (60, -12, 0), (60, 90, 0), (-60, 90, 0)]
    studio.add(mesh_of("Ground", plane, [(0, 1, 2, 3)]), GRASS)
    studio.box((60, 0.9, 0.06), GRAVEL, (0, 0, 0), name="Bed")
    for side in (-0.2, 0.2):
        studio.box((60, 0.05, 0.05), WHEEL, (0, side, 0.1), name="Rail")
    for place in np.arange(-9, 9, 0.36):
        studio.box((0.13, 0.72, 0.05), WOOD, (place, 0, 0.055), name="Sleeper")
    for x, y, width, height in ((-16, 32, 12, 4.2), (4, 38, 15, 5.2), (24, 34, 12, 4.6)):
        studio.shape("hill", (width, width, height), HILLS, (x, y, -0.6), 0)


def _add_town(studio: Studio) -> None:
    for place, (x, y, width, height, turn) in enumerate(
        (
            (-3.4, 2.6, 1.5, 1.15, 18),
            (-1.1, 3.3, 1.25, 1.7, -12),
            (1.3, 2.5, 1.7, 1.0, 8),
            (3.9, 3.0, 1.4, 1.45, -20),
            (-6.2, 4.0, 1.6, 1.4, 30),
            (6.5, 3.6, 1.6, 1.2, 12),
            (0.3, 6.2, 2.0, 1.9, 4),
        )
    ):
        studio.box((width, width * 0.85, height), (WALLS, PLASTER)[place % 2], (x, y, 0), turn, name="House")
        studio.shape("pyramid", (width * 1.25, width * 1.1, 0.85), ROOF, (x, y, height - 0.02), turn)
        studio.box((0.2, 0.2, 0.6), WALLS, (x + 0.3, y + 0.1, height + 0.2), turn, name="Chimney")
    for x, y, size in ((-2.2, 1.5, 0.9), (0.15, 1.6, 0.7), (2.65, 1.45, 1.0), (5.1, 1.7, 0.9), (-4.9, 1.7, 1.0)):
        studio.shape("cylinder", (0.16, 0.16, 0.6), WOOD, (x, y, 0))
        studio.shape("icosphere", size, LEAVES, (x, y, 0.4), 30 * x)


def _add_train(studio: Studio) -> None:
    """An engine and three wagons on one empty; wheels turn as they roll."""
    train = bpy.data.objects.new("Train", None)
    studio.scene.collection.objects.link(train)
    wheels: list[bpy.types.Object] = []

    def car(x: float, length: float) -> None:
        studio.box((length, 0.5, 0.1), WHEEL, (x, 0, 0.3), name="Frame", parent=train)
        for along in (-0.33 * length, 0.33 * length):
            for side in (-0.27, 0.27):
                wheel = studio.shape("gem", (0.34, 0.34, 0.07), WHEEL, (x + along, side, 0.29), parent=train)
                wheel.rotation_mode = "XYZ"
                wheels.append(wheel)

    car(0.0, 1.25)
    studio.shape("cylinder", (0.55, 0.55, 1.0), ENGINE, (-0.2, 0, 0.62), parent=train).rotation_euler = (
        0,
        np.pi / 2,
        0,
    )
    studio.box((0.5, 0.52, 0.72), ENGINE, (-0.38, 0, 0.4), name="Cab", parent=train)
    studio.box((0.62, 0.62, 0.06), ROOF, (-0.38, 0, 1.12), name="Cab roof", parent=train)
    studio.shape("cylinder", (0.2, 0.2, 0.42), WHEEL, (0.42, 0, 0.8), parent=train)
    for place, kind in enumerate(("boxes", "logs", "star")):
        x = -1.45 - 1.4 * place
        car(x, 1.2)
        studio.box((1.15, 0.5, 0.26), WAGON, (x, 0, 0.4), name="Wagon", parent=train)
        if kind == "boxes":
            for dx, size in ((-0.3, 0.42), (0.22, 0.34)):
                studio.box((size, size, size), CARGO, (x + dx, 0, 0.6), 14 * dx, name="Cargo", parent=train)
        elif kind == "logs":
            for dy, dz in ((-0.13, 0.66), (0.13, 0.66), (0.0, 0.86)):
                log = studio.shape("cylinder", (0.3, 0.3, 1.2), WOOD, (x - 0.52, dy, dz + 0.08), parent=train)
                log.rotation_euler = (0, np.pi / 2, 0)
        else:
            studio.shape("suzanne", 0.75, CARGO, (x, 0, 0.62), 40, parent=train)

    def pose(t: float) -> None:
        train.location.x = -0.9 + SPEED * t
        for wheel in wheels:
            wheel.rotation_euler = (np.pi / 2, SPEED * t / 0.16, 0)

    animate(pose, (train, "location"), *((wheel, "rotation_euler") for wheel in wheels))


def _add_mill(studio: Studio) -> None:
    """A windmill whose sails pass before its tower and the sky."""
    studio.shape("cone", (1.3, 1.3, 2.6), PLASTER, (-2.3, 4.6, 0))
    hub = studio.shape("sphere", 0.26, WHEEL, (-2.3, 3.95, 2.0))
    for sail in range(4):
        angle = sail * np.pi / 2
        item = studio.box((0.3, 0.03, 1.15), WOOD, (0, -0.12, 0.13), name="Sail", parent=hub)
        item.location = (0.2 * np.sin(angle), -0.12, 0.13 + 0.2 * np.cos(angle))
        item.rotation_euler = (0, angle, 0)

    def pose(t: float) -> None:
        hub.rotation_euler = (0, 0.3 + 2.2 * t, 0)

    animate(pose, (hub, "rotation_euler"))


def _add_fence(studio: Studio) -> None:
    """In front of all: posts with two rails, and a lamp post."""
    for x in np.arange(-3.6, 4.4, 0.62):
        studio.box((0.09, 0.06, 0.62), WOOD, (x, -1.75, 0), 7 * x, name="Post")
    for z in (0.24, 0.46):
        studio.box((8.6, 0.03, 0.06), WOOD, (0.3, -1.8, z), name="Fence rail")
    for x in (-1.9, 1.55):
        studio.shape("cylinder", (0.1, 0.1, 2.0), WHEEL, (x, -2.2, 0))
        studio.shape("sphere", 0.26, PLASTER, (x, -2.2, 1.75))


def _add_ball(studio: Studio) -> None:
    """A ball on the meadow between rails and fence, rolling against the train's way without slipping."""
    radius, start, way = 0.27, 2.2, -2.9
    ball = studio.shape("sphere", 2 * radius, BALL)
    centred = np.array([vertex.co for vertex in ball.data.vertices], np.float32) - np.float32([0, 0, radius])
    ball.data.vertices.foreach_set("co", centred.ravel())

    def pose(t: float) -> None:
        ball.location = (start + way * t, -1.05, radius)
        ball.rotation_euler = (0.3, way * t / radius, 0)

    animate(pose, (ball, "location"), (ball, "rotation_euler"))
