"""Whole training scenes: which kind a number is, under which light, and the words for it."""

from __future__ import annotations

from .camera import set_camera
from .exteriors import build_exterior
from .grounds import build_still_life, build_studio
from .interiors import build_interior
from .light import set_light
from .stage import Stage

KINDS = {
    "still life": (build_still_life, 0.38, {"day": 0.55, "dusk": 0.25, "night": 0.2}),
    "exterior": (build_exterior, 0.26, {"day": 0.5, "dusk": 0.28, "night": 0.22}),
    "interior": (build_interior, 0.18, {"day": 0.55, "dusk": 0.2, "night": 0.25}),
    "studio": (build_studio, 0.18, {"studio": 1.0}),
}
"""What builds a kind of scene, how common the kind is, and how common each light is in it."""


def make_scene(stage: Stage, number: int) -> str:
    """Put scene `number` on the stage; returns what it holds, in words between commas."""
    stage.begin(number)
    kind = stage.pick(list(KINDS), p=[share for _, share, _ in KINDS.values()])
    build, _, lights = KINDS[kind]
    stage.light = stage.pick(list(lights), p=list(lights.values()))
    build(stage)
    if not stage.taken:
        stage.taken.append((0.0, 0.0, 0.5))
    set_light(stage, indoors=kind == "interior")
    set_camera(stage, indoors=kind == "interior")
    return ", ".join(
        [*_counted(stage.names), stage.place, *([stage.sky] if stage.sky and kind != "interior" else []), *stage.view]
    )


def _counted(names: list[str]) -> list[str]:
    """Each name once, with how many there are of it."""
    return [f"{n} {name}s" if (n := names.count(name)) > 1 else name for name in dict.fromkeys(names)]
