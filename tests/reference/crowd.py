"""Scenes full of occlusions, for laws of visibility."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.reference.scene import Ball, Rectangle, Scene, demo_scene, move, turn, waves

ROD_IDS = (200, 201, 202, 203)
BALL_IDS = (400, 401)


def crowded_scene(width: int = 192, height: int = 128) -> Scene:
    """The demo scene with rods 1 to 2 px wide that sway before it, and a card that crosses all from edge to edge."""
    base = demo_scene(width, height)
    rods = tuple(
        Rectangle(
            ROD_IDS[index],
            (half_width * 192 / width, 1.2),
            lambda frame, index=index: (
                move(-2.2 + 1.1 * index + 0.07 * frame * (-1) ** index, 0.3, -4.2 - 0.2 * index)
                @ turn("z", 0.25 * index - 0.3)
            ),
            waves(10 + index),
        )
        for index, half_width in enumerate((0.012, 0.02, 0.03, 0.022))
    )
    crossing = Rectangle(300, (0.5, 0.9), lambda frame: move(-4.0 + 0.45 * frame, 0.1, -3.0), waves(5))
    return replace(base, rectangles=(*base.rectangles, *rods, crossing))


def round_scene(width: int = 192, height: int = 128) -> Scene:
    """Over the demo scene's ground, a turning ball and a tumbling flat one that comes before it."""
    base = demo_scene(width, height)
    ball = Ball(
        BALL_IDS[0],
        lambda frame: (
            move(-0.6 + 0.02 * frame, 0.0, -5.0)
            @ turn("y", 0.08 * frame)
            @ turn("x", 0.03 * frame)
            @ np.diag([0.9, 0.9, 0.9, 1.0])
        ),
        waves(4),
    )
    flat = Ball(
        BALL_IDS[1],
        lambda frame: (
            move(0.9 - 0.05 * frame, 0.3, -4.0)
            @ turn("z", 0.1 * frame)
            @ turn("x", 0.05 * frame)
            @ np.diag([0.5, 0.15, 0.5, 1.0])
        ),
        waves(5),
    )
    return replace(base, rectangles=(base.rectangles[0], ball, flat))
