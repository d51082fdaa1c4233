"""The passes of the artist's own view layers: which are off, and how they are turned on."""

import bpy

PASSES = {
    "z": "Z",
    "normal": "Normal",
    "vector": "Vector",
    "position": "Position",
    "cryptomatte_object": "Cryptomatte Object",
    "combined": "Combined",
}
"""What is needed, as in `ViewLayer.use_pass_...`, with what Blender's interface calls it."""


def layers_without(scene: bpy.types.Scene) -> list[bpy.types.ViewLayer]:
    """The view layers that are rendered without some of the passes."""
    return [
        layer
        for layer in scene.view_layers
        if layer.use and not all(getattr(layer, f"use_pass_{name}") for name in PASSES)
    ]


def turn_on(layer: bpy.types.ViewLayer) -> None:
    """Turn all of them on."""
    for name in PASSES:
        setattr(layer, f"use_pass_{name}", True)
