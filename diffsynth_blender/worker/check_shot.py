"""A shot that needs no Blender: a camera that slides past a patterned wall, with its exact passes in closed form.

For `check`, which stylises it as any other job.
"""

from pathlib import Path

import numpy as np
import OpenEXR

from ..passes.images import write_png
from ..protocol import Camera, Job, Settings, Shot, save_job

WIDTH, HEIGHT, FRAMES = 96, 64, (1, 2, 3, 4)
DISTANCE = 5.0  # of the wall [scene units]
FOCAL = 100.0  # [px]
SLIDE = 2.0  # of the picture from frame to frame [px]

CHANNELS = {
    "depth": ("exact.Depth.Z",),
    "normal": ("exact.Normal.X", "exact.Normal.Y", "exact.Normal.Z"),
    "vector": ("exact.Vector.X", "exact.Vector.Y", "exact.Vector.Z", "exact.Vector.W"),
    "position": ("exact.Position.X", "exact.Position.Y", "exact.Position.Z"),
    "object": ("exact.CryptoObject00.r",),
}


def write_check_shot(job_dir: Path) -> None:
    """Write the job folder: four frames of 96x64 with passes, to be made of clay in four steps."""
    shot = Shot(
        name="check",
        blender="none",
        engine="none",
        width=WIDTH,
        height=HEIGHT,
        fps=(24, 1),
        frames=FRAMES,
        source="source/{frame:04d}.png",
        passes="passes/{frame:04d}.exr",
        pass_frames=FRAMES,
        channels=CHANNELS,
        background_depth=1e9,
        cameras=tuple(_camera(frame) for frame in FRAMES),
    )
    save_job(Job(shot, Settings(prompt="a clay render of toys", steps=8)), job_dir)
    for frame in FRAMES:
        position = _positions(frame)
        planes = _planes(position)
        for path in (shot.source_path(job_dir, frame), shot.passes_path(job_dir, frame)):
            path.parent.mkdir(exist_ok=True)
        write_png(shot.source_path(job_dir, frame), _pattern(position))
        OpenEXR.File({"type": OpenEXR.scanlineimage}, planes).write(str(shot.passes_path(job_dir, frame)))


def _camera_x(frame: int) -> float:
    return frame * SLIDE * DISTANCE / FOCAL


def _camera(frame: int) -> Camera:
    view = np.eye(4)
    view[0, 3] = -_camera_x(frame)
    near, far = 0.1, 100.0
    projection = np.zeros((4, 4))
    projection[0, 0], projection[1, 1] = 2 * FOCAL / WIDTH, 2 * FOCAL / HEIGHT
    projection[2, 2:] = -(far + near) / (far - near), -2 * far * near / (far - near)
    projection[3, 2] = -1.0
    return Camera(frame, *(tuple(map(tuple, matrix.tolist())) for matrix in (view, projection)))


def _positions(frame: int) -> np.ndarray:
    """World position (H, W, 3) float32 that each pixel's centre shows."""
    x = (np.arange(WIDTH) + 0.5 - WIDTH / 2) * DISTANCE / FOCAL + _camera_x(frame)
    y = (HEIGHT / 2 - np.arange(HEIGHT) - 0.5) * DISTANCE / FOCAL
    grid = np.meshgrid(x, y)
    return np.stack([*grid, np.full_like(grid[0], -DISTANCE)], -1).astype(np.float32)


def _pattern(position: np.ndarray) -> np.ndarray:
    """Soft coloured checks on the wall, float32 (H, W, 3) in [0, 1]."""
    waves = np.sin(position[..., :2] * 4.0)
    return np.stack([0.5 + 0.4 * waves[..., 0], 0.5 + 0.4 * waves[..., 1], 0.5 - 0.4 * waves.prod(-1)], -1)


def _planes(position: np.ndarray) -> dict[str, np.ndarray]:
    one = np.ones((HEIGHT, WIDTH), np.float32)
    values = {
        "depth": [DISTANCE * one],
        "normal": [0 * one, 0 * one, one],
        # p(t-1) - p(t) and p(t) - p(t+1): the picture slides to the left.
        "vector": [SLIDE * one, 0 * one, SLIDE * one, 0 * one],
        "position": list(position.transpose(2, 0, 1)),
        "object": [one],
    }
    return {
        name: np.ascontiguousarray(plane)
        for kind, names in CHANNELS.items()
        for name, plane in zip(names, values[kind], strict=True)
    }
