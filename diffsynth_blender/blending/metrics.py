"""How steady and how sharp a clip is, measured from the exact motion, one pair of frames at a time.

Both belong together: averaging improves the first and can ruin the second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import warp as wp

from .gather import ALL_TAPS, gather

wp.set_module_options({"enable_backward": False})

LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Rec. 709 weights."""


@wp.kernel
def move_frame(
    # In:
    frames: wp.array3d[wp.vec3],
    field: wp.array2d[wp.vec3],
    # Out:
    frame_out: wp.array2d[wp.vec3],
) -> None:
    """Read frame 0 along a field; where nothing is visible the colour is 0."""
    y, x = wp.tid()
    place = field[y, x]
    frame_out[y, x] = wp.vec3(0.0)
    if place[2] > 0.0:
        frame_out[y, x] = gather(frames, 0, place[0], place[1], ALL_TAPS)


def remap(frame: np.ndarray, field: np.ndarray) -> np.ndarray:
    """Return `frame`, shape (H, W, 3), moved along `field`: x, y, visibility, shape (H, W, 3)."""
    source = wp.array(np.ascontiguousarray(frame[None], np.float32), dtype=wp.vec3, device="cpu")
    place = wp.array(np.ascontiguousarray(field, np.float32), dtype=wp.vec3, device="cpu")
    moved = wp.empty(field.shape[:2], dtype=wp.vec3, device="cpu")
    wp.launch(move_frame, dim=field.shape[:2], inputs=[source, place], outputs=[moved], device="cpu")
    return moved.numpy()


def warp_error(frames: Iterable[np.ndarray], fields: Callable[[int, int], np.ndarray]) -> float | None:
    """Return the mean over neighbouring pairs of the squared difference along the exact motion.

    For each pair (i, i + 1) frame i + 1 is moved onto frame i (cubic); the squared difference
    is averaged over channels and over pixels visible in both, then over pairs.

    Args:
        frames: display-referred frames in [0, 1], shape (H, W, 3), in order; read once.
        fields: `Clip.field`: where the pixels of frame i lie in frame j.

    Returns:
        The error in squared units of [0, 1] sRGB, or None if no pair has a visible pixel.
    """
    errors = []
    for index, (near, far) in enumerate(_pairs(frames)):
        field = fields(index, index + 1)
        visible = field[..., 2] > 0.0
        if visible.any():
            change = remap(far, field)[visible].astype(np.float64) - near[visible]
            errors.append(float(np.mean(change**2)))
    return float(np.mean(errors)) if errors else None


def sharpness(frames: Iterable[np.ndarray]) -> float | None:
    """Return the mean magnitude of the luma gradient (central differences) over frames, per pixel.

    Args:
        frames: display-referred frames in [0, 1], shape (H, W, 3); read once.

    Returns:
        The gradient [1 / px], or None if there is no frame.
    """
    means = []
    for frame in frames:
        luma = frame.astype(np.float32) @ LUMA
        down, across = np.gradient(luma.astype(np.float64))
        means.append(float(np.mean(np.hypot(across, down))))
    return float(np.mean(means)) if means else None


def _pairs(frames: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield neighbouring frames, holding two at a time."""
    before = None
    for frame in frames:
        if before is not None:
            yield before, frame
        before = frame
