"""Which coordinates the pixels of one frame have on what they show, as far as that frame alone can say.

Positions of objects with a matrix go to the object's own axes, the background is a direction, and a pixel has a size.
Knows numpy, passes and cameras; whether a matrix is to be believed is judged against the motion vectors.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..motion.cameras import CameraLike, project, view_from_screen
from ..motion.pass_frames import Poses, read_poses
from ..passes.exr import ExactPasses

BACKGROUND = 0
"""Id of the background; no object has it."""

NAMELESS = 1
"""Id of foreground without one, as in the motion fields."""


@dataclass(frozen=True)
class ShotView:
    """What is the same for all frames of a shot."""

    width: int
    height: int
    background_depth: float
    sample_offset: tuple[float, float]


@dataclass(frozen=True)
class FrameView:
    """One frame's passes, camera and matrices."""

    passes: ExactPasses
    camera: CameraLike
    poses: Poses
    """Of the objects that have a matrix which can be inverted."""
    id: np.ndarray
    """Object ids as in the motion fields, `BACKGROUND` included, int32, shape (H, W)."""

    @classmethod
    def of(cls, passes: ExactPasses, camera: CameraLike, matrices: Mapping[int, object], shot: ShotView) -> "FrameView":
        """Put a frame together; `matrices` are object to world (4, 4) by id."""
        id = np.where(passes.object_id == 0, NAMELESS, passes.object_id)
        id = np.where(passes.depth >= shot.background_depth, BACKGROUND, id).astype(np.int32)
        return cls(passes, camera, read_poses(matrices), id)


def axis_scales(matrix: np.ndarray) -> np.ndarray:
    """How much a matrix (4, 4) stretches each of an object's own axes, shape (3,)."""
    return np.linalg.norm(matrix[:3, :3], axis=0)


def own_coordinates(positions: np.ndarray, matrix: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """World positions (N, 3) along the object's own axes, times `scales` (3,): float64, (N, 3)."""
    inverse = np.linalg.inv(matrix)
    return (positions.astype(np.float64) @ inverse[:3, :3].T + inverse[:3, 3]) * scales


def residuals(frame: FrameView, before: FrameView, id: int, shot: ShotView) -> tuple[np.ndarray, np.ndarray]:
    """How far an object's vectors and matrices disagree on where its pixels were in the frame before.

    Returns:
        The object's pixels, bool (H, W), and for each a distance [px], (N,); infinite for what was behind the camera.
    """
    mine = frame.id == id
    carried = before.poses.of(np.array([id]))[0] @ np.linalg.inv(frame.poses.of(np.array([id]))[0])
    earlier = frame.passes.position[mine].astype(np.float64) @ carried[:3, :3].T + carried[:3, 3]
    expected = project(earlier, before.camera, shot.width, shot.height, shot.sample_offset)
    vector = frame.passes.vector[mine]
    row, column = np.nonzero(mine)
    shown = np.stack([column + vector[:, 0], row - vector[:, 1]], axis=-1)
    distance = np.linalg.norm(expected - shown, axis=-1)
    return mine, np.where(np.isnan(distance), np.inf, distance)


def pixel_size(depth: np.ndarray, camera: CameraLike, shot: ShotView) -> np.ndarray:
    """World size of a pixel at planar depths of any shape, the mean of its width and its height."""
    screen = view_from_screen(camera, shot.width, shot.height, shot.sample_offset)
    lens = np.asarray(camera.projection, np.float64)[3]
    side = np.sqrt(np.linalg.norm(screen[:3, 0]) * np.linalg.norm(screen[:3, 1]))
    return side * np.abs(lens[3] - lens[2] * depth.astype(np.float64))


def background_points(camera: CameraLike, shot: ShotView) -> tuple[np.ndarray, np.ndarray]:
    """For every pixel a position of its own (H, W, 3) for the background, and its size there (H, W).

    The direction of its ray in the world, of length 1. An orthographic camera sees one direction everywhere: for it
    the background stays where it is on the screen, as it does in the motion fields.
    """
    y, x = np.mgrid[: shot.height, : shot.width].astype(np.float64)
    lens = np.asarray(camera.projection, np.float64)[3]
    if lens[3] == 1.0 and lens[2] == 0.0:
        return np.stack([x, y, np.zeros_like(x)], axis=-1), np.ones_like(x)
    screen = view_from_screen(camera, shot.width, shot.height, shot.sample_offset)
    w = lens[3] - lens[2]
    ones = np.ones_like(x)
    # From the point that the camera sees at depth 0 everywhere, its own place, to depth 1.
    rays = np.stack([x * w, y * w, ones], axis=-1) @ screen[:3, :3].T
    length = np.linalg.norm(rays, axis=-1, keepdims=True)
    turn = np.asarray(camera.world_to_camera, np.float64)[:3, :3]
    # Seen at an angle, a pixel of the picture's plane is shorter on the sphere of directions.
    side = np.linalg.norm(screen[:3, 0]) * np.linalg.norm(screen[:3, 1]) * w**2
    slant = np.abs(rays[..., 2:] / length)
    size = np.sqrt(side * slant[..., 0]) / length[..., 0]
    return rays / length @ turn, size
