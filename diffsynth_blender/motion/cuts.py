"""Find where a shot cuts from one camera to another.

Blender's vectors follow one camera object; where the shot changes to another one they lead to places that may look
consistent and are not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..passes.exr import ExactPasses
from .cameras import CameraLike, project

PROBES = 32
"""Probe points along each side of the frame: 1024 decide it well enough and cost next to nothing."""


@dataclass(frozen=True)
class Probes:
    """A few foreground pixels of one frame, and the frame's depth and ids to find them again in."""

    x: np.ndarray
    """Columns, shape (N,)."""
    y: np.ndarray
    """Rows, shape (N,)."""
    vector: np.ndarray
    """As in the pass, shape (N, 4)."""
    position: np.ndarray
    """As in the pass, shape (N, 3)."""
    depth: np.ndarray
    """Of the whole frame, shape (H, W)."""
    object_id: np.ndarray
    """Of the whole frame, shape (H, W)."""


def probe(passes: ExactPasses, background_depth: float) -> Probes:
    """Take the probes of a frame."""
    height, width = passes.depth.shape
    rows = np.linspace(0, height - 1, min(PROBES, height)).astype(int)
    columns = np.linspace(0, width - 1, min(PROBES, width)).astype(int)
    y, x = (grid.ravel() for grid in np.meshgrid(rows, columns, indexing="ij"))
    foreground = passes.depth[y, x] < background_depth
    y, x = y[foreground], x[foreground]
    return Probes(x, y, passes.vector[y, x], passes.position[y, x], passes.depth, passes.object_id)


def is_cut(near: Probes, far: Probes, camera: CameraLike, *, ahead: bool, sample_offset: tuple[float, float]) -> bool:
    """Whether the camera jumps between a frame and its neighbour `far`, seen by `camera`.

    A cut is where the vectors contradict the cameras by a quarter of the picture and most of what they lead to is
    something else. (A camera on a moving car also contradicts what is known of the car, but keeps seeing it.)

    Args:
        near: probes of the frame that the vectors start from.
        far: probes of the frame before or after it.
        camera: camera of `far`.
        ahead: `far` comes after `near`.
        sample_offset: where passes are sampled relative to the pixel's centre [px], y down.
    """
    if not near.x.size:
        return False
    height, width = near.depth.shape
    # From y up and differences to this frame, to motion with y down.
    motion = near.vector[:, 2:] * (-1.0, 1.0) if ahead else near.vector[:, :2] * (1.0, -1.0)
    led = np.stack([near.x, near.y], axis=-1) + motion
    seen = project(near.position.astype(np.float64), camera, width, height, sample_offset)
    # Behind the camera is as contradictory as it gets.
    distance = np.nan_to_num(np.linalg.norm(seen - led, axis=-1), nan=np.inf)
    if np.median(distance) <= 0.25 * max(width, height):
        return False
    column, row = np.rint(led).astype(int).T
    inside = (column >= 0) & (row >= 0) & (column < width) & (row < height)
    here = near.y[inside], near.x[inside]
    there = row[inside], column[inside]
    same = near.object_id[here] == far.object_id[there]
    same &= np.abs(near.depth[here] - far.depth[there]) <= 0.03 * near.depth[here]
    return not same.size or float(np.mean(same)) < 0.5
