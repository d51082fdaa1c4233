"""Optics: a hall at night, where what is seen is not where the surface is.

A glossy floor, a mirror, glass, a lamp that swings and drags shadows and highlights along, mist that drifts. The guide
shows all of it, the motion vectors know none of it.
"""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Matrix

from .studio import Look, Paint, Studio, Tree, animate, mesh_of

FLOOR = Paint("Floor", ("#6f7f8c", "#7f8f9c"), ("#8c4f3a", "#9d6248", "#e8cfa8"), "tiles", 1.3, 0.7, 0.12)
WALL = Paint("Wall", ("#b8a98c", "#c6b79a"), ("#56758f", "#66869f", "#c9d9de"), "bricks", 1.5, 0.6, 0.8)
SIDE = Paint("Side", ("#9aa88f", "#a8b59c"), ("#7a5a86", "#8b6b97", "#d8c9a0"), "stripes", 13.0, 0.6, 0.8)
FRAME = Paint("Frame", ("#c9a24a", "#d4b05c"), ("#3f6a4f", "#4f7d60", "#e3d9a8"), "grain", 18.0, 2.0, 0.4)
STONE = Paint("Stone", ("#d8d2c6", "#cbc5b9"), ("#c9864f", "#d69a63", "#5a2f1f"), "speckle", 7.0, 1.5, 0.6)
BUST = Paint("Bust", ("#b8684f", "#c4775d"), ("#d9dde0", "#e6e9eb", "#3f6f8a"), "cells", 6.5, 1.2, 0.45)
CRATE = Paint("Crate", ("#8f7a55", "#9c8762"), ("#4a8a80", "#589a8f", "#1d3f45"), "grain", 10.0, 2.0, 0.6)
BALL = Paint("Ball", ("#4f6fb5", "#5d7dc2"), ("#d9a53a", "#e5b650", "#7a2f2a"), "dots", 5.5, 2.0, 0.25)
METAL = Paint("Metal", ("#8a8d92", "#94979c"), ("#a8825a", "#b59069", "#5f4228"), "stripes", 20.0, 2.0, 0.4)


def build(look: Look) -> bpy.types.Scene:
    """Build the scene in one look."""
    studio = Studio(look)
    cycles = studio.scene.cycles
    cycles.max_bounces, cycles.glossy_bounces, cycles.transmission_bounces = 4, 2, 4
    cycles.volume_step_rate = 8.0  # mist is smooth: longer steps look the same and save a third of the time
    studio.sky([(0, "#0d1118"), (1, "#0d1118")], [(0, "#0d1118"), (1, "#0d1118")], "#9fb2cc", 0.30)
    _add_room(studio)
    _add_things(studio)
    _add_glass(studio)
    _add_lamp(studio)
    _add_mist(studio)
    studio.camera(
        30,
        lambda t: ((-0.9 + 1.7 * t, -5.2 + 0.5 * t, 1.45 + 0.15 * t), (-0.1 + 0.35 * t, 0.9, 0.85)),
    )
    return studio.scene


def _add_room(studio: Studio) -> None:
    floor = [(-5, -7, 0), (5, -7, 0), (5, 4, 0), (-5, 4, 0)]
    studio.add(mesh_of("Floor", floor, [(0, 1, 2, 3)]), FLOOR)
    studio.box((10, 0.2, 3.6), WALL, (0, 3.1, 0), name="Wall")
    for x in (-4.2, 4.2):
        studio.box((0.2, 7, 3.6), SIDE, (x, -0.4, 0), name="Side")
    studio.box((2.15, 0.1, 2.15), FRAME, (-1.15, 2.95, 0.42), name="Frame")
    mirror = [(-2.1, 2.89, 0.54), (-0.2, 2.89, 0.54), (-0.2, 2.89, 2.45), (-2.1, 2.89, 2.45)]
    studio.add(mesh_of("Mirror", mirror, [(0, 1, 2, 3)]), _mirror())
    for x in (-3.1, 3.0):
        studio.shape("column", (0.75, 0.75, 2.0), STONE, (x, 1.8, 0), 20)
    # Behind the camera, seen in the mirror and in the ball of glass only.
    studio.box((9, 0.2, 3.6), SIDE, (0, -6.6, 0), name="Far wall")
    studio.shape("torus", 1.8, FRAME, (-1.2, -6.2, 1.0)).rotation_euler = (np.pi / 2, 0, 0)


def _mirror() -> bpy.types.Material:
    material = bpy.data.materials.new("Mirror")
    material.use_nodes = True
    material.node_tree.nodes.clear()
    tree = Tree(material.node_tree)
    glossy = tree.node("ShaderNodeBsdfAnisotropic", inputs={"Color": (0.92, 0.94, 0.94, 1), "Roughness": 0.0})
    tree.node("ShaderNodeOutputMaterial", slice(0), inputs={"Surface": glossy})
    return material


def _add_things(studio: Studio) -> None:
    studio.box((0.62, 0.62, 0.62), STONE, (-0.75, 0.75, 0), 14, name="Plinth")
    bust = studio.shape("suzanne", 0.85, BUST, (-0.75, 0.75, 0.62))
    studio.box((0.8, 0.8, 0.8), CRATE, (2.15, 1.45, 0), 26, name="Crate")
    studio.box((0.5, 0.5, 0.5), CRATE, (2.05, 1.4, 0.8), -12, name="Crate")
    studio.shape("torus", 0.75, METAL, (-2.25, -0.3, 0), 0)
    radius = 0.3
    ball = studio.shape("sphere", 2 * radius, BALL)
    ball.data.transform(Matrix.Translation((0, 0, -radius)))

    def pose(t: float) -> None:
        bust.rotation_euler = (0, 0, -0.3 + 1.1 * t)
        ball.location = (1.5 - 2.5 * t, -0.85, radius)
        ball.rotation_euler = (0.4, -2.5 * t / radius, 0)

    animate(pose, (bust, "rotation_euler"), (ball, "location"), (ball, "rotation_euler"))


def _glass() -> bpy.types.Material:
    """Clear glass; light passes it as through a tinted pane, since caustics are off."""
    material = bpy.data.materials.new("Glass")
    material.use_nodes = True
    material.node_tree.nodes.clear()
    tree = Tree(material.node_tree)
    glass = tree.node("ShaderNodeBsdfGlass", inputs={"Color": (0.93, 0.98, 0.97, 1), "Roughness": 0.0, "IOR": 1.42})
    clear = tree.node("ShaderNodeBsdfTransparent", inputs={"Color": (0.62, 0.7, 0.69, 1)})
    shadow = tree.node("ShaderNodeLightPath", "Is Shadow Ray")
    mixed = tree.node("ShaderNodeMixShader", inputs={0: shadow, 1: glass, 2: clear})
    tree.node("ShaderNodeOutputMaterial", slice(0), inputs={"Surface": mixed})
    return material


def _add_glass(studio: Studio) -> None:
    glass = _glass()
    studio.shape("sphere", 0.85, glass, (0.75, 0.35, 0.42), name="Glass ball")
    studio.shape("cylinder", (0.75, 0.75, 0.46), METAL, (0.75, 0.35, 0))
    studio.box((0.42, 0.42, 1.15), glass, (-2.15, 1.35, 0), 24, name="Glass block")
    pane = studio.box((1.0, 0.05, 1.35), glass, (1.65, -1.35, 0), -18, name="Pane")

    def pose(t: float) -> None:
        pane.rotation_euler = (0, 0, -0.5 + 0.5 * t)

    animate(pose, (pane, "rotation_euler"))


def _add_lamp(studio: Studio) -> None:
    """A bulb on a cord, swinging across the hall; and a weak still light, so that no shadow is black."""
    cord = bpy.data.objects.new("Pivot", None)
    cord.location = (0.2, 0.2, 4.4)
    studio.scene.collection.objects.link(cord)
    light = bpy.data.lights.new("Bulb", "POINT")
    light.energy, light.shadow_soft_size, light.color = 260, 0.06, (1.0, 0.82, 0.6)
    bulb = bpy.data.objects.new("Bulb", light)
    bulb.location, bulb.parent = (0, 0, -1.95), cord
    studio.scene.collection.objects.link(bulb)
    glow = bpy.data.materials.new("Glow")
    glow.use_nodes = True
    glow.node_tree.nodes.clear()
    tree = Tree(glow.node_tree)
    emission = tree.node("ShaderNodeEmission", inputs={"Color": (1.0, 0.85, 0.62, 1), "Strength": 3.0})
    tree.node("ShaderNodeOutputMaterial", slice(0), inputs={"Surface": emission})
    glow.cycles.emission_sampling = "NONE"
    globe = studio.shape("sphere", 0.2, glow, (0, 0, -2.05), parent=cord)
    wire = studio.box((0.02, 0.02, 2.0), METAL, (0, 0, -1.88), parent=cord, name="Cord")
    for item in (globe, wire):
        item.visible_shadow = False
    fill = bpy.data.lights.new("Fill", "AREA")
    fill.energy, fill.size, fill.color = 60, 2.0, (0.6, 0.75, 1.0)
    window = bpy.data.objects.new("Fill", fill)
    window.location, window.rotation_euler = (-3.6, -2.5, 3.2), (0.75, 0, -0.9)
    studio.scene.collection.objects.link(window)

    def pose(t: float) -> None:
        cord.rotation_euler = (0.12 * np.cos(2.6 * t), 0.62 * np.cos(0.6 + 2.9 * t), 0)

    animate(pose, (cord, "rotation_euler"))


def _add_mist(studio: Studio) -> None:
    """Mist that hides and glows but scatters nothing: the light it would scatter costs thousands of samples.

    Its banks drift across the hall, denser towards the floor.
    """
    material = bpy.data.materials.new("Mist")
    material.use_nodes = True
    material.node_tree.nodes.clear()
    tree = Tree(material.node_tree)
    place = tree.node("ShaderNodeTexCoord", "Object")
    drift = tree.node("ShaderNodeVectorMath", operation="ADD", inputs={0: place})
    height = tree.node("ShaderNodeSeparateXYZ", 2, inputs={0: place})
    bank = tree.node("ShaderNodeTexNoise", inputs={"Vector": drift, "Scale": 0.8, "Detail": 1.0})
    low = tree.between(height, 0.75, -0.75)
    thick = tree.node("ShaderNodeMath", operation="MULTIPLY", inputs={0: tree.between(bank, 0.46, 0.66), 1: low})
    thick = tree.node("ShaderNodeMath", operation="MULTIPLY", inputs={0: thick, 1: 0.75})
    hides = tree.node("ShaderNodeVolumeAbsorption", inputs={"Color": (0, 0, 0, 1), "Density": thick})
    glows = tree.node("ShaderNodeEmission", inputs={"Color": (0.34, 0.4, 0.5, 1), "Strength": thick})
    both = tree.node("ShaderNodeAddShader", inputs={0: hides, 1: glows})
    tree.node("ShaderNodeOutputMaterial", slice(0), inputs={"Volume": both})
    studio.box((8.3, 7.0, 1.6), material, (0, -0.7, 0.02), name="Mist")
    offset = drift.node.inputs[1]

    def pose(t: float) -> None:
        offset.default_value = (-1.1 * t, 0.2 * t, 0.25 * t)

    animate(pose, (offset, "default_value"))
