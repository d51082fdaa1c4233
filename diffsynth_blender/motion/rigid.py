"""Which objects move rigidly between frames, and by which matrices.

Nobody says which objects are rigid: an object is, over a step from one frame to the next, if its matrices lead its
pixels where their motion vectors lead. Skinned and otherwise deforming meshes have matrices, too, and fail the test.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import warp as wp

from ..bands import Bands
from . import rigid_kernels
from .cameras import CameraLike, screen_from_view, view_from_screen
from .pass_frames import PassFrame, PassFrames, Residual

STEP_ERROR = 0.05
"""How far [px] a vector may be from the matrices' prediction."""
STEP_SHARE = 0.95
"""Share of an object's pixels that must be that close."""
DRIFT = 0.1
"""Mean residuals of an object may add up to this much [px] between two frames.

A mesh that deforms slowly stays below STEP_ERROR at every step and still goes astray over many of them. Residuals of
rigid objects are 0.00001 px in Cycles and 0.003 px in EEVEE.
"""


@dataclass(frozen=True)
class Step:
    """The objects that may have moved rigidly from one frame to the next."""

    id: np.ndarray
    """Ids, rising, int32, shape (N,): those with matrices at both frames that no vectors contradict."""
    error: np.ndarray
    """Mean residual [px], shape (N,); 0 for an object that neither frame shows."""


class RigidPath:
    """What moves rigidly all the way from a target frame to the frame that the path has come to."""

    def __init__(self, steps: RigidSteps, target: int):
        """Start at scene frame `target`, where everything with a matrix is rigid."""
        self._steps = steps
        self._target = self._frame = target
        here = steps.pass_frames[target]
        self._id = np.intersect1d(here.seen, here.poses.id)
        self._drift = np.zeros(len(self._id))

    def go_to(self, frame: int) -> None:
        """Walk on to the neighbouring scene frame `frame`."""
        step = self._steps.step(min(frame, self._frame))
        self._frame = frame
        self._id, mine, its = np.intersect1d(self._id, step.id, assume_unique=True, return_indices=True)
        self._drift = self._drift[mine] + step.error[its]
        close = self._drift <= DRIFT
        self._id, self._drift = self._id[close], self._drift[close]

    def covers_target(self) -> bool:
        """Whether every foreground pixel of the target frame is moved by a matrix."""
        here = self._steps.pass_frames[self._target]
        if len(np.setdiff1d(here.seen, self._id, assume_unique=True)):
            return False
        return self._first_residual().largest <= rigid_kernels.NOT_RIGID

    def movements(self) -> rigid_kernels.Movements:
        """How the objects move from the target frame to where the path has come to."""
        return self._steps.movements(self._target, self._frame, self._id)

    def residual(self) -> wp.array:
        """Residuals of the target's pixels over the first step of the path, float, shape (H, W)."""
        return self._first_residual().field

    def _first_residual(self) -> Residual:
        return self._steps.residual(self._target, self._frame > self._target)


class RigidSteps:
    """Judges each step of a shot once."""

    def __init__(
        self, pass_frames: PassFrames, bands: Bands, *, width: int, height: int, sample_offset: tuple[float, float]
    ):
        """Take what `Clip` was given; nothing is read yet."""
        self.pass_frames = pass_frames
        self._bands = bands
        self._shape = (height, width)
        self._screen = (width, height, sample_offset)
        self._steps: dict[int, Step] = {}
        bands.load(rigid_kernels)

    def step(self, frame: int) -> Step:
        """Judge the step from scene frame `frame` to the next."""
        if frame not in self._steps:
            self._steps[frame] = self._judge(frame)
        return self._steps[frame]

    def residual(self, frame: int, ahead: bool) -> Residual:
        """How far vectors and matrices disagree from scene frame `frame` to the next or the previous one."""
        here = self.pass_frames[frame]
        if ahead not in here.residuals:
            there = self.pass_frames[frame + 1 if ahead else frame - 1]
            field = wp.empty(self._shape, dtype=float, device=self._bands.device)
            movements = self.movements(frame, frame + 1 if ahead else frame - 1, _common(here, there))
            self._bands.launch(rigid_kernels.find_residual, self._shape, [here.surfaces, movements, ahead], [field])
            here.residuals[ahead] = Residual(field, float(field.numpy().max()))
        return here.residuals[ahead]

    def movements(self, target: int, source: int, ids: np.ndarray) -> rigid_kernels.Movements:
        """How the objects `ids`, rising, move from one scene frame to another."""
        cameras = self.pass_frames.cameras
        here, there = cameras[target], cameras[source]
        before, after = self.pass_frames[target].poses.of(ids), self.pass_frames[source].poses.of(ids)
        still = (before == after).all(axis=(1, 2))
        carried = np.where(still[:, None, None], np.eye(4), after @ np.linalg.inv(before))
        width, height, offset = self._screen
        from_screen = np.linalg.inv(_matrix(here.world_to_camera)) @ view_from_screen(here, width, height, offset)
        to_screen = screen_from_view(there, width, height, offset) @ _matrix(there.world_to_camera)
        matrices = to_screen @ carried @ from_screen
        lens = _matrix(here.projection)[3]
        movements = rigid_kernels.Movements()
        if _same_camera(here, there):
            # What does not move at all must not move by a rounding error.
            matrices[still] = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, -lens[2], lens[3]], [0, 0, 1, 0]]
        device = self._bands.device
        movements.id = wp.array(ids, dtype=wp.int32, device=device)
        movements.matrix = wp.array(matrices, dtype=wp.mat44d, device=device)
        movements.lens = wp.vec2d(-lens[2], lens[3])
        return movements

    def _judge(self, frame: int) -> Step:
        common = _common(self.pass_frames[frame], self.pass_frames[frame + 1])
        count, close, total = (np.zeros(len(common)) for _ in range(3))
        for seen_at, ahead in ((frame, True), (frame + 1, False)):
            here = self.pass_frames[seen_at]
            residual = self.residual(seen_at, ahead).field.numpy()
            tested = residual >= 0.0
            place = np.searchsorted(common, here.object_id[tested])
            residual = residual[tested]
            count += np.bincount(place, minlength=len(common))
            close += np.bincount(place[residual <= STEP_ERROR], minlength=len(common))
            # A few strays must not outweigh the rest.
            total += np.bincount(place, np.minimum(residual, STEP_ERROR), minlength=len(common))
        rigid = close >= STEP_SHARE * count
        return Step(common[rigid], (total / np.maximum(count, 1))[rigid])


def _common(here: PassFrame, there: PassFrame) -> np.ndarray:
    """Ids of the objects with matrices at two frames."""
    return np.intersect1d(here.poses.id, there.poses.id, assume_unique=True)


def _matrix(rows: object) -> np.ndarray:
    return np.asarray(rows, np.float64)


def _same_camera(one: CameraLike, other: CameraLike) -> bool:
    return np.array_equal(one.world_to_camera, other.world_to_camera) and np.array_equal(
        one.projection, other.projection
    )
