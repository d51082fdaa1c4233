"""How a training scene is rendered: one view layer per path-traced look, and one that carries the exact passes."""

from __future__ import annotations

import bpy

from .. import materials
from .light import GOLD_STUDIO

SAMPLES = 4
"""A pixel and view layer, denoised."""
CLAY = "#c98d6b"


def configure(scene: bpy.types.Scene, threads: int) -> None:
    """Cycles on the CPU, a few samples with denoising, and the view transform of the demo scene."""
    scene.render.engine = "CYCLES"
    scene.render.resolution_percentage = 100
    scene.render.use_motion_blur = False
    scene.render.threads_mode = "FIXED" if threads else "AUTO"
    scene.render.threads = max(threads, 1)
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "MULTI_LAYER_IMAGE"
    settings.file_format = "OPEN_EXR_MULTILAYER"
    settings.color_depth = "32"
    settings.exr_codec = "NONE"
    cycles = scene.cycles
    cycles.device = "CPU"
    cycles.samples = SAMPLES
    cycles.use_adaptive_sampling = False
    cycles.use_denoising = True
    cycles.denoiser = "OPENIMAGEDENOISE"
    # The denoiser costs more than these few samples: 8.1 s of processor time a scene with the default prefilter and
    # quality and 8 samples, 2.4 s with these and 4.
    cycles.denoising_prefilter = "NONE"
    cycles.denoising_quality = "FAST"
    cycles.max_bounces = 4
    cycles.diffuse_bounces = 1
    cycles.glossy_bounces = 2
    cycles.transmission_bounces = 4
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 4.0
    cycles.blur_glossy = 1.0
    scene.view_settings.view_transform = materials.VIEW_TRANSFORM
    scene.view_settings.look = materials.VIEW_LOOK


def add_layers(scene: bpy.types.Scene) -> None:
    """View layers `realistic`, `clay`, `gold`, `ice`, and `exact` (one sample, no filter) that carries the passes."""
    realistic = scene.view_layers[0]
    realistic.name = "realistic"
    # The albedo of whatever lies on the surface, metal and glass too; the diffuse colour of those is black.
    realistic.cycles.denoising_store_passes = True
    for name in ("clay", "gold", "ice"):
        scene.view_layers.new(name).samples = SAMPLES
    exact = scene.view_layers.new("exact")
    exact.samples = 1
    exact.cycles.use_denoising = False
    exact.use_pass_z = exact.use_pass_normal = exact.use_pass_object_index = True


def set_overrides(scene: bpy.types.Scene) -> None:
    """Give the layers of clay, gold and ice their materials; anew for every scene, as materials are removed with it."""
    layers = scene.view_layers
    layers["clay"].material_override = materials.override(
        "clay", CLAY, "#d8c0a8", roughness=0.95, ground_roughness=1.0, metallic=0.0
    )
    layers["gold"].material_override = _gold()
    layers["ice"].material_override = _ice()


def _gold() -> bpy.types.Material:
    """Polished gold that sees half of the studio whatever stands around it: in a room it would be black."""
    material = materials.override("gold", "#ffc24a", "#6b5240", roughness=0.16, ground_roughness=0.35, metallic=1.0)
    tree = material.node_tree
    shader = materials.principled(tree)
    place = tree.nodes.new("ShaderNodeTexCoord")
    _, studio = materials.by_height(tree, place.outputs["Reflection"], GOLD_STUDIO)
    tint = tree.nodes.new("ShaderNodeVectorMath")
    tint.operation = "MULTIPLY"
    tree.links.new(studio, tint.inputs[0])
    tree.links.new(shader.inputs["Base Color"].links[0].from_socket, tint.inputs[1])
    tree.links.new(tint.outputs[0], shader.inputs["Emission Color"])
    shader.inputs["Emission Strength"].default_value = 0.6
    return material


def _ice() -> bpy.types.Material:
    """Blue where one looks into it, white where one looks along it, polished; the ground is snow."""
    material = materials.override("ice", "#0f5fa8", "#dbe9f3", roughness=0.06, ground_roughness=0.75, metallic=0.0)
    tree = material.node_tree
    shader = materials.principled(tree)
    body = shader.inputs["Base Color"].links[0].from_socket
    facing = tree.nodes.new("ShaderNodeLayerWeight")
    facing.inputs["Blend"].default_value = 0.55
    rim = tree.nodes.new("ShaderNodeMix")
    rim.data_type = "RGBA"
    first, second = (socket for socket in rim.inputs if socket.type == "RGBA")
    tree.links.new(facing.outputs["Facing"], next(s for s in rim.inputs if s.type == "VALUE" and s.enabled))
    tree.links.new(body, first)
    second.default_value = materials.linear("#eef8ff")
    colour = next(socket for socket in rim.outputs if socket.type == "RGBA")
    tree.links.new(colour, shader.inputs["Base Color"])
    # A little light comes from inside, as it does through ice.
    tree.links.new(colour, shader.inputs["Emission Color"])
    shader.inputs["Emission Strength"].default_value = 0.12
    return material
