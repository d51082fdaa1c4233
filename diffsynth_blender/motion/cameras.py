"""Cameras as matrices between the world and pixels; and where the background moves, points at infinity.

The motion-vector pass is undefined on the background (zero in Cycles up to 5.1, wrong in 5.2), but
a background at infinity only turns with the camera, so two camera matrices say exactly where it
goes.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np


class CameraLike(Protocol):
    """One frame's camera; anything with these two attributes will do."""

    @property
    def world_to_camera(self) -> object:
        """Matrix (4, 4), row-major: world to a camera that looks along -Z with +Y up."""

    @property
    def projection(self) -> object:
        """Matrix (4, 4), row-major: camera to clip space, as Blender's `calc_matrix_camera`."""


def pixels_from_clip(width: int, height: int, sample_offset: tuple[float, float]) -> np.ndarray:
    """Return the matrix (3, 3) from clip space (x, y, w) to homogeneous array coordinates.

    Array coordinates count pixels with y down; a pixel's own sample is at an integer.
    """
    return np.array(
        [
            [width / 2.0, 0.0, width / 2.0 - 0.5 - sample_offset[0]],
            [0.0, -height / 2.0, height / 2.0 - 0.5 - sample_offset[1]],
            [0.0, 0.0, 1.0],
        ]
    )


def project(
    points: np.ndarray,
    camera: CameraLike,
    width: int,
    height: int,
    sample_offset: tuple[float, float],
) -> np.ndarray:
    """Return array coordinates (x, y) of world `points`, shape (..., 3), as (..., 2); NaN behind."""
    view = np.asarray(camera.projection, np.float64) @ np.asarray(camera.world_to_camera, np.float64)
    homogeneous = np.concatenate([points, np.ones_like(points[..., :1])], axis=-1)
    clip = (homogeneous @ view.T)[..., [0, 1, 3]]
    pixels = clip @ pixels_from_clip(width, height, sample_offset).T
    ahead = pixels[..., 2:] > 1e-9
    return np.where(ahead, pixels[..., :2] / np.where(ahead, pixels[..., 2:], 1.0), np.nan)


def screen_from_view(camera: CameraLike, width: int, height: int, sample_offset: tuple[float, float]) -> np.ndarray:
    """Return the matrix (4, 4) from camera space (x, y, z, 1) to (x w, y w, w, depth), x, y in array coordinates."""
    projection = np.asarray(camera.projection, np.float64)
    pixels = pixels_from_clip(width, height, sample_offset) @ projection[[0, 1, 3]]
    return np.vstack([pixels, [[0.0, 0.0, -1.0, 0.0]]])


def view_from_screen(camera: CameraLike, width: int, height: int, sample_offset: tuple[float, float]) -> np.ndarray:
    """Return the matrix (4, 4) from (x w, y w, depth, 1) back to camera space (x, y, z, 1).

    At a depth d, w is -projection[3][2] d + projection[3][3].
    """
    x, y, _, depth = screen_from_view(camera, width, height, sample_offset)
    return np.linalg.inv(np.stack([x, y, depth, [0.0, 0.0, 0.0, 1.0]]))


def background_homography(
    target: CameraLike,
    source: CameraLike,
    width: int,
    height: int,
    sample_offset: tuple[float, float],
) -> np.ndarray:
    """Return the matrix (3, 3) that takes array coordinates of background from target to source.

    The third component of the result is positive exactly for what lies ahead of the source camera.
    """
    if np.array_equal(target.world_to_camera, source.world_to_camera) and np.array_equal(
        target.projection, source.projection
    ):
        return np.eye(3)
    # Rows x, y, w of the projection act on a direction (x, y, z) without its translation.
    target_lens = np.asarray(target.projection, np.float64)[[0, 1, 3], :3]
    source_lens = np.asarray(source.projection, np.float64)[[0, 1, 3], :3]
    if abs(np.linalg.det(target_lens)) < 1e-12 or abs(np.linalg.det(source_lens)) < 1e-12:
        # Parallel rays: an orthographic camera sees one direction of the sky everywhere.
        return np.eye(3)
    to_pixels = pixels_from_clip(width, height, sample_offset)
    turn = np.asarray(source.world_to_camera, np.float64)[:3, :3] @ np.linalg.inv(
        np.asarray(target.world_to_camera, np.float64)[:3, :3]
    )
    matrix = to_pixels @ source_lens @ turn @ np.linalg.inv(to_pixels @ target_lens)
    return matrix / np.cbrt(abs(np.linalg.det(matrix)))
