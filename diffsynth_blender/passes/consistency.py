"""Whether the passes of a shot belong to its cameras, and whether their motion can be true.

Passes that were rendered elsewhere may be of another camera, of a region only, or without motion; correspondence would
then be wrong everywhere, and nothing else would tell. A few thousand pixels of each frame are looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .errors import PassError
from .exr import ExactPasses

SAMPLES = 4096
"""Pixels of a frame that are looked at."""
OFF_LIMIT = 1.5
"""Pixels by which passes and camera may disagree. Measured: 0.00001 in passes of our own, 0.7 in those of EEVEE in
Blender 4.2 with its default filter; another camera is off by tens."""
BLUR_LIMIT = 2.0
"""Pixels around the centre from which half the surfaces may come. Measured at 240x160: 0.0007 without depth of field,
0.7 at an aperture of f/0.5, where 0.3 % of the links are off by more than half a pixel."""
EXACT = 0.1
"""Pixels: what is nearer is not worth a note."""
MOVES = 0.5
"""Pixels: what a matrix or a camera moves by less may be rounding."""
MOVING_SHARE = 1e-3
"""Of the pixels looked at; fewer may be a coincidence."""


@dataclass(frozen=True)
class _Frame:
    """What is kept of a frame until the next one."""

    frame: int
    position: np.ndarray
    """World positions of the pixels looked at, shape (N, 4) with a one at the end."""
    object_id: np.ndarray
    view: np.ndarray
    """World to clip space, shape (4, 4)."""
    objects: Mapping[int, np.ndarray]
    is_still: bool
    """Whether all motion to the next frame is zero."""


class PassChecks:
    """Looks at the frames of a shot, one after the other."""

    def __init__(
        self, *, width: int, height: int, background_depth: float, sample_offset: tuple[float, float], factor: int = 1
    ) -> None:
        """Take what the shot says of its passes, and how much larger they are than they were rendered."""
        self._size = np.array([width, height], np.float64)
        self._background_depth = background_depth
        self._sample_offset = np.array(sample_offset, np.float64)
        self._factor = factor
        self._before: _Frame | None = None
        self._worst = 0.0

    def see(
        self,
        frame: int,
        passes: ExactPasses,
        world_to_camera: object,
        projection: object,
        objects: Mapping[int, object],
    ) -> None:
        """Look at a frame.

        Args:
            frame: its number.
            passes: its passes.
            world_to_camera: 4x4, rows first.
            projection: 4x4, rows first: camera space to clip space.
            objects: object to world by object id, 4x4, of those that have one.

        Raises:
            PassError: they cannot be those of this camera, or hold no motion where there must be some.
        """
        if empty := int(np.count_nonzero(passes.depth <= 0.0)):
            raise PassError(
                f"frame {frame}: {empty} pixels of the depth pass are zero, so only a region was rendered: turn off "
                "Render Region and render the frame again"
            )
        seen = np.flatnonzero(passes.depth.ravel() < self._background_depth)
        seen = seen[:: max(1, len(seen) // SAMPLES)]
        position = np.ones((len(seen), 4))
        position[:, :3] = passes.position.reshape(-1, 3)[seen]
        view = np.array(projection, np.float64) @ np.array(world_to_camera, np.float64)
        self._check_camera(frame, seen, self._project(position, view))
        matrices = {id: np.array(matrix, np.float64) for id, matrix in objects.items()}
        vector = passes.vector.reshape(-1, 4)[seen]
        if self._before is not None and self._before.is_still and not vector[:, :2].any():
            self._check_motion(self._before, frame, view, matrices)
        ids = passes.object_id.ravel()[seen]
        self._before = _Frame(frame, position, ids, view, matrices, is_still=not vector[:, 2:].any())

    def notes(self) -> list[str]:
        """What is less exact than it could be, a sentence each; once every frame was seen."""
        if self._worst <= EXACT:
            return []
        return [
            f"The passes show surfaces up to {self._worst:.1f} px beside the centres of their pixels, as depth of "
            "field, half floats or EEVEE's filter leave them: correspondence is that much less exact"
        ]

    def _check_camera(self, frame: int, seen: np.ndarray, place: np.ndarray) -> None:
        if not len(seen):
            return
        width = int(self._size[0])
        centre = np.stack([seen % width + 0.5, seen // width + 0.5], axis=-1)
        away = (place - centre - self._sample_offset) / self._factor
        middle = np.median(away, axis=0)
        off, blur = np.hypot(*middle), np.median(np.hypot(*(away - middle).T))
        if not (off <= OFF_LIMIT and blur <= BLUR_LIMIT):
            raise PassError(
                f"frame {frame}: its passes are not what its camera sees, they are off by {max(off, blur):.1f} px: "
                "take the files and the scene that belong together, or turn off Depth of Field and render the shot "
                "again"
            )
        self._worst = max(self._worst, float(off), float(blur))

    def _check_motion(self, before: _Frame, frame: int, view: np.ndarray, objects: Mapping[int, np.ndarray]) -> None:
        """Follow the surfaces of the frame before by camera and matrices: where they move, motion cannot be zero.

        What has no matrix may move in any way, with the camera too.
        """
        moved = before.position.copy()
        known = np.zeros(len(moved), bool)
        for id in np.unique(before.object_id).tolist():
            if id in before.objects and id in objects:
                mask = before.object_id == id
                known |= mask
                step = objects[id] @ np.linalg.pinv(before.objects[id])
                moved[mask] = moved[mask] @ step.T
        way = self._project(moved, view) - self._project(before.position, before.view)
        moves = known & (np.hypot(*way.T) > MOVES * self._factor)
        if np.count_nonzero(moves) > MOVING_SHARE * len(moves):
            raise PassError(
                f"frames {before.frame} and {frame}: the motion pass is zero, but camera or objects move, as it is "
                "when Motion Blur is on: turn it off and render the shot again, or have its passes rendered (source "
                "Render)"
            )

    def _project(self, position: np.ndarray, view: np.ndarray) -> np.ndarray:
        """World positions (N, 4) to pixels (N, 2), y down."""
        clip = position @ view.T
        place = clip[:, :2] / clip[:, 3:] * (0.5, -0.5) + 0.5
        return place * self._size
