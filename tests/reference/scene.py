"""A scene whose every pass is known in closed form: rectangles and balls that move rigidly or stretch, one camera.

Slow and obvious numpy: each pixel's ray meets each shape. Nothing here is shared with the product, so that agreement
means something.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from diffsynth_blender.passes.exr import ExactPasses

BACKGROUND_DEPTH = 1e9


@dataclass(frozen=True)
class Camera:
    """One frame's camera, looking along -Z with +Y up."""

    world_to_camera: np.ndarray
    projection: np.ndarray


@dataclass(frozen=True)
class Rectangle:
    """The part |x| <= half[0], |y| <= half[1] of the plane z = 0, moved by `pose(frame)`."""

    object_id: int
    half: tuple[float, float]
    pose: Callable[[float], np.ndarray]
    """Object to world, (4, 4), at a frame."""
    colour: Callable[[np.ndarray], np.ndarray]
    """Colours (N, 3) in [0, 1] at local points (N, 2)."""
    stretch: Callable[[float], tuple[float, float]] = lambda frame: (1.0, 1.0)
    """How much the shape is stretched along its x and y at a frame, which no matrix knows of."""

    def meet(self, start: np.ndarray, step: np.ndarray) -> np.ndarray:
        """Return the multiples (N,) of `step` (N, 3) after which rays from `start` (N, 3) hit the shape; or NaN."""
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = -start[:, 2] / step[:, 2]
            points = start + distance[:, None] * step
            return np.where((np.abs(points[:, :2]) <= self.half).all(axis=-1), distance, np.nan)

    def normal(self, points: np.ndarray) -> np.ndarray:
        """Return local normals (N, 3) at local points (N, 3)."""
        return np.broadcast_to([0.0, 0.0, 1.0], points.shape)


@dataclass(frozen=True)
class Ball:
    """The sphere of radius 1, moved and scaled by `pose(frame)`."""

    object_id: int
    pose: Callable[[float], np.ndarray]
    """Object to world, (4, 4), at a frame."""
    colour: Callable[[np.ndarray], np.ndarray]
    """Colours (N, 3) in [0, 1] at local points (N, 2), seen along z."""
    stretch: Callable[[float], tuple[float, float]] = lambda frame: (1.0, 1.0)
    """How much the shape is stretched along its x and y at a frame, which no matrix knows of."""

    def meet(self, start: np.ndarray, step: np.ndarray) -> np.ndarray:
        """Return the multiples (N,) of `step` (N, 3) after which rays from `start` (N, 3) hit the shape; or NaN."""
        a, b, c = (step * step).sum(-1), (start * step).sum(-1), (start * start).sum(-1) - 1.0
        with np.errstate(invalid="ignore"):
            return (-b - np.sqrt(b * b - a * c)) / a

    def normal(self, points: np.ndarray) -> np.ndarray:
        """Return local normals (N, 3) at local points (N, 3)."""
        return points


def move(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> np.ndarray:
    """Return a translation, (4, 4)."""
    matrix = np.eye(4)
    matrix[:3, 3] = x, y, z
    return matrix


def turn(axis: str, angle: float) -> np.ndarray:
    """Return a rotation by `angle` radians about "x", "y" or "z", (4, 4)."""
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.eye(4)
    matrix[first, first] = matrix[second, second] = np.cos(angle)
    matrix[second, first] = np.sin(angle)
    matrix[first, second] = -np.sin(angle)
    return matrix


def lens(width: int, height: int, focal: float = 1.5) -> np.ndarray:
    """Return a perspective projection; `focal` is in half widths of the picture."""
    near, far = 0.1, 1000.0
    matrix = np.zeros((4, 4))
    matrix[0, 0] = focal
    matrix[1, 1] = focal * width / height
    matrix[2, 2] = -(far + near) / (far - near)
    matrix[2, 3] = -2.0 * far * near / (far - near)
    matrix[3, 2] = -1.0
    return matrix


def waves(seed: int, scale: float = 1.0) -> Callable[[np.ndarray], np.ndarray]:
    """Return a smooth colour texture over local coordinates."""
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(3, 4, 2)) * 2.0 * scale
    phases = rng.uniform(0.0, 2.0 * np.pi, (3, 4))

    def colour(points: np.ndarray) -> np.ndarray:
        angles = np.einsum("cki,ni->nck", directions, points) + phases
        return 0.5 + 0.11 * np.sin(angles).sum(axis=-1)

    return colour


def box(width: int, height: int, half_width: float, depth: float = 1000.0) -> np.ndarray:
    """Return an orthographic projection that sees `half_width` to either side [scene units]."""
    matrix = np.diag([1.0 / half_width, width / height / half_width, -2.0 / depth, 1.0])
    matrix[2, 3] = -1.0
    return matrix


@dataclass(frozen=True)
class Scene:
    """Shapes and a camera at every frame."""

    width: int
    height: int
    rectangles: tuple[Rectangle | Ball, ...]
    camera_to_world: Callable[[float], np.ndarray]
    projection: np.ndarray
    """Perspective (`lens`) or orthographic (`box`), shifted or not."""
    sky: Callable[[np.ndarray], np.ndarray]
    """Colours (N, 3) of directions (N, 3)."""
    sample_offset: tuple[float, float] = (0.0, 0.0)

    def camera(self, frame: float) -> Camera:
        """Return the camera of a frame."""
        return Camera(np.linalg.inv(self.camera_to_world(frame)), self.projection)

    def project(self, points: np.ndarray, frame: float) -> np.ndarray:
        """Return array coordinates (N, 2) of world points (N, 3) as the passes see them."""
        camera = self.camera(frame)
        view = points @ camera.world_to_camera[:3, :3].T + camera.world_to_camera[:3, 3]
        clip = view @ self.projection[:, :3].T + self.projection[:, 3]
        column = (clip[:, 0] / clip[:, 3] + 1.0) / 2.0 * self.width - 0.5 - self.sample_offset[0]
        row = (1.0 - clip[:, 1] / clip[:, 3]) / 2.0 * self.height - 0.5 - self.sample_offset[1]
        return np.stack([column, row], axis=-1)

    def rays(self, pixels: np.ndarray, frame: float) -> tuple[np.ndarray, np.ndarray]:
        """Return world origins and directions, (N, 3) each, through array coordinates (N, 2).

        A direction is as long as one unit of depth, and an origin has depth 0.
        """
        x = (pixels[:, 0] + 0.5 + self.sample_offset[0]) / self.width * 2.0 - 1.0
        y = 1.0 - (pixels[:, 1] + 0.5 + self.sample_offset[1]) / self.height * 2.0
        ones, zeros = np.ones_like(x), np.zeros_like(x)
        turn = self.camera_to_world(frame)
        if self.projection[3, 3] == 1.0:
            start = np.stack([x, y, zeros], axis=-1) - np.append(self.projection[:2, 3], 0.0)
            start /= (self.projection[0, 0], self.projection[1, 1], 1.0)
            step = np.stack([zeros, zeros, -ones], axis=-1)
        else:
            start = np.zeros((len(x), 3))
            # A shift moves the picture in proportion to depth, which is -z.
            step = np.stack([x + self.projection[0, 2], y + self.projection[1, 2], -ones], axis=-1)
            step /= (self.projection[0, 0], self.projection[1, 1], 1.0)
        return start @ turn[:3, :3].T + turn[:3, 3], step @ turn[:3, :3].T

    def directions(self, pixels: np.ndarray, frame: float) -> np.ndarray:
        """Return world directions (N, 3) through array coordinates (N, 2); depth 1 along the axis."""
        return self.rays(pixels, frame)[1]

    def cast(self, pixels: np.ndarray, frame: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return (depth (N,), index of the shape or -1 (N,), local point (N, 3)) at `pixels` (N, 2)."""
        origins, rays = self.rays(pixels, frame)
        depth = np.full(len(pixels), np.inf)
        hit = np.full(len(pixels), -1)
        local = np.zeros((len(pixels), 3))
        for index, shape in enumerate(self.rectangles):
            inverse = np.linalg.inv(shape.pose(frame))
            unstretch = 1.0 / np.append(shape.stretch(frame), 1.0)
            start = (origins @ inverse[:3, :3].T + inverse[:3, 3]) * unstretch
            step = rays @ inverse[:3, :3].T * unstretch
            distance = shape.meet(start, step)
            with np.errstate(invalid="ignore"):
                near = (distance > 0.1) & (distance < depth)
            depth[near], hit[near] = distance[near], index
            local[near] = start[near] + distance[near, None] * step[near]
        return depth, hit, local

    def world(self, hit: np.ndarray, local: np.ndarray, frame: float) -> np.ndarray:
        """Return world points (N, 3) of local points on their shapes at a frame."""
        points = np.zeros((len(hit), 3))
        for index, shape in enumerate(self.rectangles):
            mine = hit == index
            pose = shape.pose(frame)
            points[mine] = (local[mine] * np.append(shape.stretch(frame), 1.0)) @ pose[:3, :3].T + pose[:3, 3]
        return points

    def grid(self) -> np.ndarray:
        """Return array coordinates (H * W, 2) of all pixels."""
        y, x = np.mgrid[: self.height, : self.width]
        return np.stack([x.ravel(), y.ravel()], axis=-1).astype(float)

    def passes(self, frame: int) -> ExactPasses:
        """Return the exact passes in Blender's conventions."""
        size = (self.height, self.width)
        depth, hit, local = self.cast(self.grid(), frame)
        seen = hit >= 0
        now = self.world(hit, local, frame)
        normal = np.zeros((len(hit), 3))
        vector = np.zeros((len(hit), 4))
        ids = np.zeros(len(hit), np.int32)
        for index, shape in enumerate(self.rectangles):
            mine = hit == index
            facing = shape.normal(local[mine]) @ np.linalg.inv(shape.pose(frame))[:3, :3]
            facing /= np.linalg.norm(facing, axis=-1, keepdims=True)
            away = (self.directions(self.grid()[mine], frame) * facing).sum(-1) > 0.0
            normal[mine] = np.where(away[:, None], -facing, facing)
            ids[mine] = shape.object_id
        at = self.project(now[seen], frame)
        before = self.project(self.world(hit, local, frame - 1)[seen], frame - 1)
        after = self.project(self.world(hit, local, frame + 1)[seen], frame + 1)
        vector[seen] = np.concatenate([before - at, at - after], axis=-1) * (1, -1, 1, -1)
        return ExactPasses(
            depth=np.where(seen, depth, 1e10).astype(np.float32).reshape(size),
            normal=normal.astype(np.float32).reshape(*size, 3),
            vector=vector.astype(np.float32).reshape(*size, 4),
            position=np.where(seen[:, None], now, 0.0).astype(np.float32).reshape(*size, 3),
            object_id=ids.reshape(size),
        )

    def objects(self, frame: int) -> dict[int, np.ndarray]:
        """Return the matrices (4, 4) of the objects whose id is their own."""
        ids = [rectangle.object_id for rectangle in self.rectangles]
        return {one.object_id: one.pose(frame) for one in self.rectangles if ids.count(one.object_id) == 1}

    def picture(self, frame: int, samples: int = 1) -> np.ndarray:
        """Return the frame, (H, W, 3) in [0, 1], as the mean of `samples` squared rays a pixel."""
        total = np.zeros((self.height * self.width, 3))
        offsets = (np.arange(samples) + 0.5) / samples - 0.5
        for dx in offsets:
            for dy in offsets:
                pixels = self.grid() + np.array([dx, dy])
                _, hit, local = self.cast(pixels, frame)
                colours = self.sky(self.directions(pixels, frame))
                for index, shape in enumerate(self.rectangles):
                    colours[hit == index] = shape.colour(local[hit == index, :2])
                total += colours
        return (total / samples**2).reshape(self.height, self.width, 3).astype(np.float32)

    def field(self, target: int, source: int) -> np.ndarray:
        """Return the true correspondence (H, W, 3): x, y in the source frame, visible 1 or 0.

        A point is visible if the ray through its own image in the source frame meets it first: the exact position
        decides, not the pixel that it falls into. A camera sees no farther than the pixels' outer borders.
        """
        pixels = self.grid()
        _, hit, local = self.cast(pixels, target)
        sky = hit < 0
        there = np.empty_like(pixels)
        there[~sky] = self.project(self.world(hit, local, source)[~sky], source)
        far = self.camera_to_world(source)[:3, 3] + self.directions(pixels, target) * 1e9
        there[sky] = self.project(far[sky], source)
        _, first, where = self.cast(there, source)
        visible = (first == hit) & (sky | (np.abs(where - local).max(axis=-1) < 1e-6))
        visible &= (there >= -0.5).all(axis=-1)
        visible &= (there <= (self.width - 0.5, self.height - 0.5)).all(axis=-1)
        return np.concatenate([there, visible[:, None]], axis=-1).reshape(self.height, self.width, 3)


def sky_waves(directions: np.ndarray) -> np.ndarray:
    """Return a smooth sky."""
    unit = directions / np.linalg.norm(directions, axis=-1, keepdims=True)
    return 0.6 + 0.3 * np.sin(unit @ np.array([[3.0, 1.0, 5.0], [2.0, 4.0, 1.0], [1.0, 3.0, 6.0]]))


def demo_scene(
    width: int = 96,
    height: int = 64,
    *,
    speed: float = 1.0,
    sample_offset: tuple[float, float] = (0.0, 0.0),
) -> Scene:
    """Return a ground, a turning card, a card that crosses before it, sky, a travelling camera."""
    return Scene(
        width,
        height,
        (
            Rectangle(
                17,
                (12.0, 12.0),
                lambda frame: move(0, -1, -6) @ turn("x", -np.pi / 2),
                waves(1),
            ),
            Rectangle(
                -42,
                (0.9, 0.8),
                lambda frame: (
                    move(-0.4, 0.1, -5.0) @ turn("y", 0.3 + 0.04 * speed * frame) @ turn("z", 0.02 * speed * frame)
                ),
                waves(2, 2.0),
            ),
            Rectangle(
                99,
                (0.35, 0.5),
                lambda frame: move(-1.2 + 0.12 * speed * frame, 0.0, -3.5),
                waves(3, 3.0),
            ),
        ),
        lambda frame: (
            move(0.03 * speed * frame, 0.2, 0.02 * speed * frame) @ turn("y", -0.01 * speed * frame) @ turn("x", -0.06)
        ),
        lens(width, height),
        sky_waves,
        sample_offset,
    )
