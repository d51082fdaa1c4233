"""What the things of a training scene are made of: rough, glossy, metal, glass, glowing; patterned or plain."""

from __future__ import annotations

import bpy

from .. import materials
from .palettes import turned
from .stage import Stage

PATTERN_SHARES = (0.3, 0.12, 0.12, 0.06, 0.1, 0.08, 0.07, 0.06, 0.05, 0.04)
PATTERN_WORDS = {
    "checker": "checkered", "stripes": "striped", "dots": "dotted", "wood": "wooden", "marble": "marble",
    "bricks": "brick",
}  # fmt: skip
METALS = {"steel": "#c9ccd1", "copper": "#d9865b", "brass": "#d8b25a", "blue metal": "#5a7fb8", "red metal": "#b8424a"}


def random_surface(stage: Stage) -> tuple[bpy.types.Material, str]:
    """A material and the word for it, with a space behind it; mostly a rough pattern, now and then metal or glass."""
    kind = stage.pick(("rough", "glossy", "metal", "glass"), p=(0.66, 0.16, 0.1, 0.08))
    if kind == "metal":
        word = stage.pick(list(METALS))
        return metal(turned(stage.rng, METALS[word]), stage.uniform(0.12, 0.4)), f"{word} "
    if kind == "glass":
        return glass(stage.pick(("#ffffff", *stage.palette)), stage.pick((0.0, 0.08, 0.3))), "glass "
    pattern = str(stage.rng.choice(materials.PATTERNS, p=PATTERN_SHARES))
    colours = [stage.palette[i] for i in stage.rng.permutation(5)[:3]]
    roughness = stage.uniform(0.05, 0.2) if kind == "glossy" else stage.uniform(0.3, 0.95)
    material = materials.surface("thing", pattern, colours, scale=stage.uniform(0.7, 1.5), roughness=roughness)
    words = ["glossy"] if kind == "glossy" else []
    words += [PATTERN_WORDS[pattern]] if pattern in PATTERN_WORDS else []
    return material, "".join(f"{word} " for word in words)


def plain(stage: Stage, colour: str, roughness: float = 0.6) -> bpy.types.Material:
    """One colour, a little off the one named."""
    return materials.surface("plain", "plain", [turned(stage.rng, colour)], roughness=roughness)


def patterned(stage: Stage, pattern: str, colours: tuple[str, ...], scale: float = 1.0) -> bpy.types.Material:
    """A rough pattern in colours a little off those named."""
    shifted = [turned(stage.rng, colour) for colour in colours]
    return materials.surface(pattern, pattern, shifted, scale=scale, roughness=stage.uniform(0.5, 0.9))


def metal(colour: str, roughness: float) -> bpy.types.Material:
    """Bare metal."""
    material = materials.surface("metal", "plain", [colour], roughness=roughness)
    materials.principled(material.node_tree).inputs["Metallic"].default_value = 1.0
    return material


def glass(colour: str, roughness: float) -> bpy.types.Material:
    """Clear or tinted glass."""
    material = materials.surface("glass", "plain", [colour], roughness=roughness)
    shader = materials.principled(material.node_tree)
    shader.inputs["Transmission Weight"].default_value = 1.0
    shader.inputs["IOR"].default_value = 1.4
    return material


def glowing(colour: str, strength: float) -> bpy.types.Material:
    """A surface that gives light."""
    material = materials.surface("glowing", "plain", [colour], roughness=0.5)
    shader = materials.principled(material.node_tree)
    shader.inputs["Emission Color"].default_value = materials.linear(colour)
    shader.inputs["Emission Strength"].default_value = strength
    return material
