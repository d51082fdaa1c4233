"""One scene rendered once and turned into the arrays of its file: ten looks, depth and normal."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import OpenEXR

from ..paint import PAINTED
from ..paint.passes import LUMA, Passes
from .layers import set_overrides
from .stage import Stage

LAYERS = ("realistic", "clay", "gold", "ice")
"""Looks that are rendered."""
CLAY_LUMA = 0.33
"""Of the clay, roughly: divided out of its render to get the light."""
SIZES = (256, 256, 320)
"""Sides of the pictures [pixels], in turns."""


def render(stage: Stage, number: int, folder: Path) -> dict[str, np.ndarray]:
    """Render the scene as it stands and return the arrays of its file but for the words."""
    scene = stage.scene
    set_overrides(scene)
    scene.render.resolution_x = scene.render.resolution_y = SIZES[number % len(SIZES)]
    scene.render.filepath = str(folder / "passes.exr")
    bpy.ops.render.render(write_still=True)
    channels = read_exr(folder / "passes.exr")
    depth = channels["exact.Depth.Z"].astype(np.float32)
    background = depth >= 1e9
    inverse_depth = np.where(background, 0, 1 / depth).astype(np.float32)
    to_camera = np.array(scene.camera.matrix_world.to_3x3().inverted(), np.float32)
    normal = _stacked(channels, "exact.Normal", "XYZ") @ to_camera.T
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6)
    normal[background] = 0
    rendered = displayed([_stacked(channels, f"{layer}.Combined") for layer in LAYERS], scene, folder)
    passes = Passes(
        realistic=rendered[0].astype(np.float32) / 255,
        albedo=_stacked(channels, "realistic.Denoising Albedo"),
        light=_light(_stacked(channels, "clay.Combined"), background),
        inverse_depth=inverse_depth,
        normal=normal,
        objects=np.where(background, 0, _objects(channels)).astype(np.int32),
        to_light=to_camera @ np.array(stage.to_light, np.float32),
    )
    return {
        **dict(zip(LAYERS, rendered, strict=True)),
        **{name: np.rint(paint(passes) * 255).astype(np.uint8) for name, paint in PAINTED.items()},
        "depth": inverse_depth.astype(np.float16),
        "normal": np.where(background[..., None], 128, np.rint((normal + 1) * 127.5)).astype(np.uint8),
    }


def _stacked(channels: dict[str, np.ndarray], name: str, axes: str = "RGB") -> np.ndarray:
    return np.stack([channels[f"{name}.{axis}"] for axis in axes], axis=-1).astype(np.float32)


def _objects(channels: dict[str, np.ndarray]) -> np.ndarray:
    """The pass of object indices, under its name in 4.x or in 5.0 and later."""
    found = (
        name for name in channels if name.startswith("exact.") and name.split(".")[1] in ("IndexOB", "Object Index")
    )
    return channels[next(found)]


def _light(clay: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Light on the surfaces, 1 where it is strong in this picture: the brightest twelfth is beyond."""
    light = clay @ LUMA / CLAY_LUMA
    strong = float(np.quantile(light[~background], 0.92)) if (~background).any() else 1.0
    return light / max(strong, 1e-3)


def read_exr(path: Path) -> dict[str, np.ndarray]:
    """Every channel of an EXR by name, whichever way Blender divides it into parts."""
    channels: dict[str, np.ndarray] = {}
    for part in OpenEXR.File(str(path), separate_channels=True).parts:
        channels.update({name: channel.pixels for name, channel in part.channels.items()})
    return channels


def displayed(images: list[np.ndarray], scene: bpy.types.Scene, folder: Path) -> list[np.ndarray]:
    """Linear (H, W, 3) images through the scene's view transform, by Blender itself: uint8 (H, W, 3) sRGB."""
    strip = np.concatenate(images, axis=1)[::-1]
    height, width = strip.shape[:2]
    path = folder / "displayed.png"
    image = bpy.data.images.new("strip", width, height, float_buffer=True)
    image.pixels.foreach_set(np.concatenate([strip, np.ones((height, width, 1))], axis=-1).astype(np.float32).ravel())
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "IMAGE"
    settings.file_format, settings.color_depth, settings.compression = "PNG", "8", 0
    image.save_render(str(path), scene=scene)
    bpy.data.images.remove(image)
    if hasattr(settings, "media_type"):
        settings.media_type = "MULTI_LAYER_IMAGE"
    settings.file_format, settings.color_depth = "OPEN_EXR_MULTILAYER", "32"
    saved = bpy.data.images.load(str(path))
    saved.colorspace_settings.name = "Non-Color"
    values = np.empty(height * width * 4, np.float32)
    saved.pixels.foreach_get(values)
    bpy.data.images.remove(saved)
    picture = np.rint(values.reshape(height, width, 4)[::-1, :, :3] * 255).astype(np.uint8)
    return np.split(picture, len(images), axis=1)
