"""Training scenes for the demo model: random toy still lifes rendered in five looks, with exact depth and normals.

    python -m diffsynth_blender.demo.dataset --output build/dataset --scenes 1600

One file a scene, `00000.npz`, all arrays 256 x 256, row 0 on top:

    realistic, clay, gold, toon, watercolour   uint8 (H, W, 3), sRGB as displayed
    depth           float16 (H, W), 1 / planar Z, 0 on the background; not normalised
    normal          uint8 (H, W, 3), camera space, X right, Y up, Z towards the camera, (n + 1) / 2; background 128
    caption_words   what is in the picture

A scene is a function of its number. Scenes that exist are skipped, so the same command resumes, and several can share
the work. Clay and gold are further view layers of the same render with every material overridden; toon and watercolour
come from the passes.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import bpy
import numpy as np
import OpenEXR
from mathutils import Vector

from . import looks, materials, shapes

SIZE = 256
LOOKS = ("realistic", "clay", "gold")
CLAY = "#c98d6b"

PALETTES = (
    ("#e63946", "#f1faee", "#a8dadc", "#457b9d", "#1d3557"),
    ("#264653", "#2a9d8f", "#e9c46a", "#f4a261", "#e76f51"),
    ("#ffbe0b", "#fb5607", "#ff006e", "#8338ec", "#3a86ff"),
    ("#606c38", "#283618", "#fefae0", "#dda15e", "#bc6c25"),
    ("#ef476f", "#ffd166", "#06d6a0", "#118ab2", "#073b4c"),
    ("#d8572a", "#f7b538", "#780116", "#db7c26", "#c32f27"),
    ("#f72585", "#7209b7", "#3a0ca3", "#4361ee", "#4cc9f0"),
    ("#f94144", "#f3722c", "#f9c74f", "#90be6d", "#577590"),
    ("#cdb4db", "#ffc8dd", "#ffafcc", "#bde0fe", "#a2d2ff"),
    ("#5f0f40", "#9a031e", "#fb8b24", "#e36414", "#0f4c5c"),
    ("#70d6ff", "#ff70a6", "#ff9770", "#ffd670", "#e9ff70"),
    ("#1b4332", "#40916c", "#95d5b2", "#ffffff", "#d00000"),
)
GROUNDS = {
    "wooden floor": ("wood", ("#8a5a33", "#c08a53"), 0.35),
    "checkered floor": ("checker", ("#e9e4d8", "#3d4a5c"), 0.25),
    "sand": ("noise", ("#d9b77f", "#ecd3a0", "#e2c48d"), 0.6),
    "grass": ("noise", ("#3f7a34", "#86b049", "#5f9640"), 0.5),
    "tiles": ("bricks", ("#c8654a", "#e8d7c0"), 0.35),
    "snow": ("noise", ("#dfe9f5", "#ffffff", "#f0f5fb"), 0.3),
    "polka dot cloth": ("dots", ("#2f6690", "#f2e9d8"), 0.5),
    "striped cloth": ("rings", ("#b23a48", "#f2e2c4"), 0.4),
    "marble": ("marble", ("#e8e6e1", "#7d8597"), 0.4),
    "plain floor": ("plain", ("#b9a99a", "#b9a99a"), 1.0),
    "plain colour floor": ("plain", ("#7a9e9f", "#7a9e9f"), 1.0),
}
SKIES = {
    "blue sky": ((0.0, "#8d8f8c"), (0.49, "#cfe3f2"), (0.52, "#bcdcf5"), (0.7, "#5d9ee0"), (1.0, "#2a62b8")),
    "sunset sky": ((0.0, "#7c5a4f"), (0.49, "#ffb069"), (0.53, "#ff9a62"), (0.66, "#c56a86"), (1.0, "#3b3a78")),
    "dawn sky": ((0.0, "#8a807c"), (0.49, "#ffe3c4"), (0.55, "#ffd0c0"), (0.7, "#a8b8e0"), (1.0, "#6485c8")),
    "grey sky": ((0.0, "#7d7d7d"), (0.49, "#d8dade"), (0.6, "#c3c9d1"), (1.0, "#98a3b0")),
    "turquoise sky": ((0.0, "#7f8c86"), (0.49, "#e4f7ec"), (0.55, "#b5ead7"), (0.72, "#56b9c9"), (1.0, "#1f7a9c")),
    "dusk sky": ((0.0, "#4b4660"), (0.49, "#e8a0a8"), (0.56, "#b98ac4"), (0.72, "#6a63b5"), (1.0, "#2b2f77")),
}
STUDIO = (
    (0.0, "#4a3018"),
    (0.48, "#8a6a45"),
    (0.5, "#b98a52"),
    (0.56, "#6d4a2a"),
    (0.72, "#2e1f18"),
    (0.86, "#fff2dc"),
    (1.0, "#ffffff"),
)
WARM_GREY = ((0.0, "#8f8680"), (0.5, "#d9d0c7"), (0.7, "#e9e2da"), (1.0, "#f5f1ec"))


SAMPLES = 4
"""A pixel and view layer, denoised."""


def configure(scene: bpy.types.Scene, threads: int) -> None:
    """Cycles on the CPU, a few samples with denoising, and the view transform of the demo scene."""
    scene.render.engine = "CYCLES"
    scene.render.resolution_x = scene.render.resolution_y = SIZE
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
    cycles.max_bounces = 3
    cycles.diffuse_bounces = 1
    cycles.glossy_bounces = 2
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 4.0
    cycles.blur_glossy = 1.0
    scene.view_settings.view_transform = materials.VIEW_TRANSFORM
    scene.view_settings.look = materials.VIEW_LOOK


def add_layers(scene: bpy.types.Scene) -> None:
    """View layers `realistic`, `clay`, `gold`, and `exact` (one sample, no filter) that carries the passes."""
    realistic = scene.view_layers[0]
    realistic.name = "realistic"
    realistic.use_pass_diffuse_color = True
    clay = scene.view_layers.new("clay")
    clay.samples = SAMPLES
    gold = scene.view_layers.new("gold")
    gold.samples = SAMPLES
    exact = scene.view_layers.new("exact")
    exact.samples = 1
    exact.cycles.use_denoising = False
    exact.use_pass_z = exact.use_pass_normal = exact.use_pass_object_index = True


class SceneMaker:
    """Makes one random scene after another in the same Blender scene; `caption` says what the last one holds."""

    def __init__(self, scene: bpy.types.Scene) -> None:
        self.scene = scene
        self.meshes = {shape: shapes.make_mesh(shape) for shape in (*shapes.SHAPES, "hill")}
        self.radii = {shape: float(np.abs(shapes.points(mesh)[:, :2]).max()) for shape, mesh in self.meshes.items()}
        self.kept = set(self.meshes.values())
        self.caption = ""

    def clear(self) -> None:
        """Remove everything but the template meshes."""
        bpy.data.batch_remove([
            *bpy.data.objects, *bpy.data.materials, *bpy.data.worlds, *bpy.data.lights, *bpy.data.cameras,
            *(mesh for mesh in bpy.data.meshes if mesh not in self.kept),
        ])  # fmt: skip

    def make(self, number: int) -> None:
        """Fill the scene with scene `number`."""
        self.clear()
        self.rng = np.random.default_rng([2026, number])
        self.index = materials.GROUND_INDEX
        self.names: list[str] = []
        # Every colour is a little off its palette's, so that no combination is learnt by heart.
        self.palette = [self._turned(c) for c in PALETTES[self.rng.integers(len(PALETTES))]]
        self._sky_and_sun()
        self._ground()
        self._objects()
        self._camera()
        counted = [
            f"{n} {name}s" if n > 1 else name for name in dict.fromkeys(self.names) for n in [self.names.count(name)]
        ]
        self.caption = ", ".join([*counted, self.ground_name, self.sky_name])

    def _turned(self, colour: str) -> str:
        """The colour with lightness and channels jittered a little."""
        channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], float)
        channels = np.clip(channels * self.rng.uniform(0.85, 1.12) + self.rng.normal(0, 9, 3), 0, 255)
        return "#" + "".join(f"{round(c):02x}" for c in channels)

    def _pick(self, items: object) -> object:
        items = list(items)
        return items[self.rng.integers(len(items))]

    def _sky_and_sun(self) -> None:
        rng = self.rng
        self.sky_name = str(self._pick(SKIES))
        low = self.sky_name in ("sunset sky", "dawn sky", "dusk sky")
        stops = [(position, self._turned(colour)) for position, colour in SKIES[self.sky_name]]
        clouds = float(rng.uniform(0.3, 1.0)) if rng.random() < 0.55 else 0.0
        cloud_colour = "#ffd9c0" if low else "#ffffff"
        strength = float(rng.uniform(0.55, 0.9))
        self.scene.world = materials.sky(
            "sky", stops, strength=strength, clouds=clouds, cloud_colour=cloud_colour, seed=float(rng.uniform(0, 20))
        )
        if clouds:
            self.sky_name = f"cloudy {self.sky_name}"
        studio = materials.sky("studio", STUDIO, strength=1.1)
        grey = materials.sky("grey", WARM_GREY, strength=0.75)
        elevation = np.radians(rng.uniform(16, 32) if low else rng.uniform(28, 65))
        azimuth = rng.uniform(0, 2 * np.pi)
        light = bpy.data.lights.new("sun", "SUN")
        soft = "grey" in self.sky_name
        light.energy = float(rng.uniform(1.2, 2.0) if soft else rng.uniform(3.4, 5.4))
        light.angle = float(np.radians(rng.uniform(10, 25) if soft else rng.uniform(1, 9)))
        light.color = materials.linear("#ffd0a0" if low else "#fff4e2")[:3]
        sun = bpy.data.objects.new("sun", light)
        self.to_sun = Vector(
            (np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation))
        )
        sun.rotation_euler = self.to_sun.to_track_quat("Z", "Y").to_euler()
        self.scene.collection.objects.link(sun)
        self.sun_energy = light.energy
        layers = self.scene.view_layers
        layers["clay"].material_override = materials.override(
            "clay", CLAY, "#d8c0a8", roughness=0.95, ground_roughness=1.0, metallic=0.0
        )
        layers["gold"].material_override = materials.override(
            "gold", "#ffc24a", "#2a1a12", roughness=0.16, ground_roughness=0.35, metallic=1.0
        )
        layers["clay"].world_override = grey
        layers["gold"].world_override = studio

    def _surface(self, name: str) -> tuple[bpy.types.Material, str]:
        rng = self.rng
        pattern = str(rng.choice(materials.PATTERNS, p=[0.28, 0.12, 0.12, 0.06, 0.1, 0.08, 0.08, 0.06, 0.05, 0.05]))
        colours = [self.palette[i] for i in rng.permutation(5)[:3]]
        scale, roughness = float(rng.uniform(0.7, 1.5)), float(rng.uniform(0.25, 0.7))
        material = materials.surface(name, pattern, colours, scale=scale, roughness=roughness)
        words = {
            "checker": "checkered ",
            "stripes": "striped ",
            "dots": "dotted ",
            "wood": "wooden ",
            "marble": "marble ",
        }
        return material, words.get(pattern, "")

    def _ground(self) -> None:
        rng = self.rng
        self.ground_name = str(self._pick(GROUNDS))
        pattern, colours, scale = GROUNDS[self.ground_name]
        if (
            self.ground_name in ("plain colour floor", "striped cloth", "polka dot cloth", "tiles", "checkered floor")
            and rng.random() < 0.6
        ):
            picked = rng.permutation(5)
            colours = [self.palette[i] for i in picked[:2]]
        colours = [self._turned(colour) for colour in colours]
        rough = float(rng.uniform(0.35, 0.8))
        material = materials.surface(
            "ground",
            pattern,
            colours,
            scale=scale * float(rng.uniform(0.7, 1.4)),
            roughness=rough,
            fade=float(rng.uniform(7, 12)),
        )
        bumps = (
            rng.uniform(0.05, 0.35) if self.ground_name in ("sand", "grass", "snow") and rng.random() < 0.75 else 0.0
        )
        waves = [(rng.normal(0, 0.5, 2), rng.uniform(0, 6.3)) for _ in range(4)]

        def height(x: np.ndarray, y: np.ndarray) -> np.ndarray:
            return bumps * sum(np.sin(k[0] * x + k[1] * y + phase) for k, phase in waves) / 2

        self.height = height
        ground = bpy.data.objects.new("ground", shapes.terrain(160.0, height))
        ground.pass_index = materials.GROUND_INDEX
        ground.data.materials.append(material)
        self.scene.collection.objects.link(ground)
        if rng.random() < 0.35:
            tone = [
                self._turned(c)
                for c in (
                    ("#5f8f4a", "#7fae5a", "#6a9c50") if rng.random() < 0.5 else ("#8c8fa8", "#a5a8bd", "#979ab2")
                )
            ]
            hills = materials.surface("hills", "noise", tone, scale=1.0, roughness=0.9)
            for _ in range(int(rng.integers(2, 7))):
                angle, distance = rng.uniform(0, 2 * np.pi), rng.uniform(16, 34)
                size = rng.uniform(4, 10)
                self._add(
                    "hill",
                    hills,
                    (distance * np.cos(angle), distance * np.sin(angle), -0.3),
                    size,
                    stretch=rng.uniform(0.25, 0.6),
                )
            self.ground_name += ", hills"

    def _add(
        self,
        shape: str,
        material: bpy.types.Material,
        location: tuple[float, float, float],
        size: float,
        *,
        turn: float = 0.0,
        stretch: float = 1.0,
        mesh: bpy.types.Mesh | None = None,
        index: int | None = None,
    ) -> bpy.types.Object:
        item = bpy.data.objects.new(shape, mesh or self.meshes[shape])
        item.location = location
        item.scale = (size, size, size * stretch)
        item.rotation_euler[2] = turn
        if index is None:
            self.index += 1
            index = self.index
        item.pass_index = index
        # Templates are shared: the material belongs to the object, not to the mesh.
        if not item.data.materials:
            item.data.materials.append(None)
        item.material_slots[0].link = "OBJECT"
        item.material_slots[0].material = material
        self.scene.collection.objects.link(item)
        return item

    def _objects(self) -> None:
        rng = self.rng
        spread = rng.uniform(1.0, 1.8)
        taken: list[tuple[float, float, float]] = []
        wanted = int(rng.integers(3, 9))
        for _ in range(60):
            if len(taken) == wanted:
                break
            size = float(
                rng.choice([rng.uniform(0.5, 0.9), rng.uniform(0.9, 1.5), rng.uniform(1.4, 2.1)], p=[0.35, 0.45, 0.2])
            )
            x, y = rng.normal(0, spread, 2)
            radius = 0.55 * size
            if any(np.hypot(x - u, y - v) < 0.92 * (radius + r) for u, v, r in taken):
                continue
            taken.append((x, y, radius))
            self._item(float(x), float(y), float(self.height(x, y)), size)
        self.taken = taken

    def _item(self, x: float, y: float, z: float, size: float) -> None:
        """One thing: a shape, a tumbled or deformed shape, a stack, or a toy made of two or three shapes."""
        rng = self.rng
        kind = str(
            rng.choice(
                ["shape", "tumbled", "deformed", "stack", "tree", "house", "snowman"],
                p=[0.36, 0.14, 0.2, 0.1, 0.09, 0.06, 0.05],
            )
        )
        turn = float(rng.uniform(0, 2 * np.pi))
        shape = str(self._pick(shapes.SHAPES))
        material, word = self._surface(kind)
        name = word + shapes.CAPTIONS.get(shape, shape)
        if kind == "shape":
            self._add(shape, material, (x, y, z), size, turn=turn)
        elif kind == "tumbled":
            item = self._add(shape, material, (0, 0, 0), size)
            item.rotation_euler = rng.uniform(0, 2 * np.pi, 3)
            corners = shapes.points(item.data) @ np.array(item.rotation_euler.to_matrix()).T * size
            centre = 0.5 * (corners.max(axis=0) + corners.min(axis=0))
            item.location = (x - centre[0], y - centre[1], z - corners[:, 2].min() - 0.01)
        elif kind == "deformed":
            shape = str(rng.choice(["cube", "column", "sphere", "cylinder", "torus", "suzanne", "capsule", "star"]))
            change = [
                shapes.twist(float(rng.uniform(-0.35, 0.35))),
                shapes.taper(float(rng.uniform(0.3, 1.0))),
                shapes.wave(float(rng.uniform(0.06, 0.14)), float(rng.uniform(0.8, 1.8)), float(rng.uniform(0, 6))),
            ][rng.integers(3)]
            mesh = shapes.deformed(self.meshes[shape], "deformed", change)
            name = f"wavy {word}{shapes.CAPTIONS.get(shape, shape)}"
            self._add(shape, material, (x, y, z), size, turn=turn, stretch=float(rng.uniform(0.7, 1.4)), mesh=mesh)
        elif kind == "stack":
            name = "stack"
            for level in range(int(rng.integers(2, 4))):
                part = str(
                    rng.choice(
                        ["cube", "cylinder", "torus", "sphere", "star"]
                        if level
                        else ["cube", "cylinder", "torus", "star"]
                    )
                )
                item = self._add(part, self._surface(part)[0], (x, y, z - 0.01), size, turn=float(rng.uniform(0, 6.3)))
                z += size * float(shapes.points(item.data)[:, 2].max())
                size *= float(rng.uniform(0.6, 0.85))
        elif kind == "tree":
            name = "toy tree"
            trunk = materials.surface("trunk", "wood", ("#5b3a21", "#7d5230"), scale=2.0, roughness=0.8)
            greens = (
                [self._turned(c) for c in ("#2f7d32", "#6aa84f", "#4c9a41")] if rng.random() < 0.7 else self.palette[:3]
            )
            leaves = materials.surface("leaves", str(rng.choice(["plain", "noise"])), greens, roughness=0.8)
            self._add("cylinder", trunk, (x, y, z), 0.28 * size, stretch=2.6)
            if rng.random() < 0.5:
                self._add(str(rng.choice(["sphere", "icosphere"])), leaves, (x, y, z + 0.5 * size), size)
            else:
                for level in range(3):
                    self._add(
                        "cone",
                        leaves,
                        (x, y, z + (0.4 + 0.42 * level) * size),
                        (1.1 - 0.25 * level) * size,
                        stretch=0.75,
                    )
        elif kind == "house":
            name = "toy house"
            self._add("cube", material, (x, y, z), size, turn=turn)
            roof = materials.surface("roof", "plain", [self.palette[0]], roughness=0.6)
            self._add("pyramid", roof, (x, y, z + 0.84 * size), 1.05 * size, turn=turn, stretch=0.6)
        else:
            name = "snowman"
            white = materials.surface("snow", "plain", ["#f2f4f8"], roughness=0.7)
            self._add("sphere", white, (x, y, z), size)
            self._add("sphere", white, (x, y, z + 0.85 * size), 0.7 * size)
            head = self._add("cylinder", material, (x, y, z + 1.48 * size), 0.5 * size, stretch=0.8)
            head.rotation_euler[1] = float(rng.uniform(-0.2, 0.2))
        self.names.append(name)

    def _camera(self) -> None:
        rng = self.rng
        data = bpy.data.cameras.new("camera")
        data.lens = float(
            rng.choice([rng.uniform(26, 36), rng.uniform(36, 55), rng.uniform(55, 90)], p=[0.3, 0.45, 0.25])
        )
        camera = bpy.data.objects.new("camera", data)
        self.scene.collection.objects.link(camera)
        self.scene.camera = camera
        places = np.array(self.taken)
        reach = float(np.hypot(places[:, 0] - places[:, 0].mean(), places[:, 1] - places[:, 1].mean()).max()) + 0.9
        elevation = np.radians(
            rng.choice([rng.uniform(2, 10), rng.uniform(10, 26), rng.uniform(26, 60)], p=[0.35, 0.45, 0.2])
        )
        # From the sun's side the picture is flat, from the other it is dark: mostly light it from the side.
        sun_azimuth = np.arctan2(self.to_sun.y, self.to_sun.x)
        azimuth = sun_azimuth + rng.choice([-1, 1]) * np.radians(np.clip(rng.normal(85, 40), 10, 170))
        distance = reach * data.lens / 18 * rng.uniform(0.42, 0.92) + 0.6
        target = Vector((*places[:, :2].mean(axis=0), 0.0)) + Vector(rng.normal(0, 0.25, 3)) * reach * 0.5
        target.z = float(rng.uniform(0.2, 1.0)) + float(self.height(target.x, target.y))
        away = Vector((np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)))
        place = target + distance * away
        place.z = max(place.z, float(self.height(place.x, place.y)) + 0.35)
        camera.location = place
        camera.rotation_euler = (place - target).to_track_quat("Z", "Y").to_euler()
        camera.rotation_euler.rotate_axis("Z", float(rng.normal(0, 0.03)))
        data.clip_start = 0.05


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


def render(maker: SceneMaker, folder: Path) -> dict[str, np.ndarray]:
    """Render the scene as it stands and return the arrays of its file."""
    scene = maker.scene
    scene.render.filepath = str(folder / "passes.exr")
    bpy.ops.render.render(write_still=True)
    channels = read_exr(folder / "passes.exr")

    def stacked(name: str, axes: str = "RGB") -> np.ndarray:
        return np.stack([channels[f"{name}.{axis}"] for axis in axes], axis=-1).astype(np.float32)

    realistic, clay, gold = displayed([stacked(f"{layer}.Combined") for layer in LOOKS], scene, folder)
    depth = channels["exact.Depth.Z"].astype(np.float32)
    background = depth >= 1e9
    inverse_depth = np.where(background, 0, 1 / depth).astype(np.float32)
    to_camera = np.array(scene.camera.matrix_world.to_3x3().inverted(), np.float32)
    normal = stacked("exact.Normal", "XYZ") @ to_camera.T
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6)
    normal[background] = 0
    index = next(
        name for name in channels if name.startswith("exact.") and name.split(".")[1] in ("IndexOB", "Object Index")
    )
    # Radiance of a white wall facing the sun is its irradiance over pi; the clay's own colour is divided out roughly.
    light = stacked("clay.Combined") @ looks.LUMA / (0.33 * maker.sun_energy / np.pi + 0.12)
    passes = looks.Passes(
        realistic=realistic.astype(np.float32) / 255,
        # As 5.0 and later, and as 4.x call the pass.
        diffuse=stacked("realistic.Diffuse Color" if "realistic.Diffuse Color.R" in channels else "realistic.DiffCol"),
        light=light,
        inverse_depth=inverse_depth,
        normal=normal,
        objects=np.where(background, 0, channels[index]).astype(np.int32),
        sun=to_camera @ np.array(maker.to_sun, np.float32),
    )
    as_bytes = {
        name: np.rint(look(passes) * 255).astype(np.uint8)
        for name, look in (("toon", looks.toon), ("watercolour", looks.watercolour))
    }
    return {
        "realistic": realistic,
        "clay": clay,
        "gold": gold,
        **as_bytes,
        "depth": inverse_depth.astype(np.float16),
        "normal": np.where(background[..., None], 128, np.rint((normal + 1) * 127.5)).astype(np.uint8),
        "caption_words": np.array(maker.caption),
    }


def main() -> None:
    """Render the scenes that are missing."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, required=True, help="folder for the .npz files")
    parser.add_argument("--scenes", type=int, default=1600, help="how many scenes")
    parser.add_argument("--first", type=int, default=0, help="number of the first scene")
    parser.add_argument(
        "--step", type=int, default=1, help="make every N-th scene only, to share the work between processes"
    )
    parser.add_argument("--threads", type=int, default=0, help="render threads; 0 uses them all")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    configure(scene, options.threads)
    add_layers(scene)
    maker = SceneMaker(scene)
    begun, made = time.monotonic(), 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.first, options.first + options.scenes, options.step):
            path = options.output / f"{number:05d}.npz"
            if path.exists():
                continue
            maker.make(number)
            arrays = render(maker, Path(folder))
            unfinished = path.with_suffix(f".{os.getpid()}.tmp")
            with unfinished.open("wb") as file:
                np.savez_compressed(file, **arrays)
            unfinished.replace(path)
            made += 1
            if made % 20 == 0:
                print(f"{number}: {made} scenes, {(time.monotonic() - begun) / made:.2f} s each", flush=True)


if __name__ == "__main__":
    main()
