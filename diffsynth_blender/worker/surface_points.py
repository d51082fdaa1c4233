"""Which point of which surface every pixel of a shot shows: coordinates that stay with the surface, frame after frame.

Objects whose matrices agree with their motion vectors have coordinates of their own; what else moves carries them along
from frame to frame, and gets new ones where it comes into view. Goes through the shot in order and remembers one frame.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..diffusion.noise_surface import SurfacePoints
from ..motion.cameras import CameraLike
from ..motion.clip import Clip
from ..motion.rigid import STEP_ERROR, STEP_SHARE
from ..motion.rigid_kernels import NOT_RIGID
from ..passes.exr import ExactPasses
from ..protocol import Job
from .shot_files import objects_reader, read_frame_passes
from .surface_carry import label_of, read_coordinates
from .surface_coordinates import (
    BACKGROUND,
    FrameView,
    ShotView,
    axis_scales,
    background_points,
    own_coordinates,
    pixel_size,
    residuals,
)


class SurfaceTracker:
    """Follows the surfaces of a shot from its first frame on."""

    def __init__(
        self,
        clip: Clip,
        reader: Callable[[int], ExactPasses],
        cameras: Mapping[int, CameraLike],
        *,
        background_depth: float,
        sample_offset: tuple[float, float] = (0.0, 0.0),
        objects: Callable[[int], Mapping[int, object]] | None = None,
    ) -> None:
        """Describe the shot; nothing is read yet.

        Args:
            clip: the motion of all pass frames of the shot, from its first on.
            reader: returns the passes of a scene frame.
            cameras: camera of each pass frame.
            background_depth: a pixel at this depth or beyond it is background.
            sample_offset: where passes are sampled relative to the pixel's centre [px], y down.
            objects: as of `Clip`.
        """
        self._clip = clip
        self._reader = reader
        self._cameras = cameras
        self._objects = objects
        self._shot = ShotView(clip.width, clip.height, background_depth, sample_offset)

    def points(self, frames: Collection[int]) -> Iterator[SurfacePoints]:
        """The surface points of some scene frames, rising; the shot is followed from its first frame every time."""
        walk = _Walk(self._clip, self._shot)
        for index, frame in enumerate(self._clip.frames):
            if frame > max(frames):
                return
            matrices = self._objects(frame) if self._objects is not None else {}
            points = walk.go_to(index, FrameView.of(self._reader(frame), self._cameras[frame], matrices, self._shot))
            if frame in frames:
                yield points


class _Walk:
    """One walk through a shot."""

    def __init__(self, clip: Clip, shot: ShotView) -> None:
        self._clip = clip
        self._shot = shot
        self._view: FrameView | None = None
        self._points: SurfacePoints | None = None
        self._scales: dict[int, np.ndarray] = {}
        self._deforming: set[int] = set()

    def go_to(self, index: int, view: FrameView) -> SurfacePoints:
        """The points of the next frame."""
        size = pixel_size(view, self._shot)
        # New coordinates are the world's at this frame; the frame is part of the name, as others had them before.
        position = view.passes.position.astype(np.float64)
        label = label_of(view.id, index + 1)
        loose = view.id != BACKGROUND
        for id in np.intersect1d(np.unique(view.id), view.poses.id).tolist():
            mine, rigid = self._rigid_pixels(view, id)
            matrix = view.poses.of(np.array([id]))[0]
            scales = axis_scales(matrix)
            first = self._scales.setdefault(id, scales)
            position[mine] = own_coordinates(view.passes.position[mine], matrix, first)
            size[mine] *= first.mean() / scales.mean()
            label[mine] = label_of(view.id[mine], 0)
            loose[mine] = ~rigid
        background = view.id == BACKGROUND
        if background.any():
            sky, sky_size = background_points(view.camera, self._shot)
            position[background], size[background], label[background] = sky[background], sky_size[background], 0
        points = SurfacePoints(position, label, size)
        if self._points is not None and loose.any():
            self._carry(index, view.id, points, loose)
        self._view, self._points = view, points
        return points

    def _rigid_pixels(self, view: FrameView, id: int) -> tuple[np.ndarray, np.ndarray]:
        """An object's pixels (H, W), and which of these (N,) its matrix moved here from the frame before."""
        before = self._view
        if before is None or id not in before.poses.id:
            mine = view.id == id
            return mine, np.ones(np.count_nonzero(mine), bool)
        mine, distance = residuals(view, before, id, self._shot)
        if (distance <= STEP_ERROR).mean() < STEP_SHARE:
            # It deforms, and is carried from here on even where it rests: its coordinates are no longer its matrix's.
            self._deforming.add(id)
        return mine, (distance <= NOT_RIGID) & (id not in self._deforming)

    def _carry(self, index: int, id: np.ndarray, points: SurfacePoints, loose: np.ndarray) -> None:
        """Replace the coordinates of pixels `loose` by those of the same points in the frame before, where seen."""
        assert self._points is not None
        found, position, label = read_coordinates(self._points, self._clip.field(index, index - 1)[loose], id[loose])
        row, column = np.nonzero(loose)
        places = row[found], column[found]
        points.position[places] = position
        points.object[places] = label


def surface_points(
    job: Job, job_dir: Path, frames: Sequence[int], device: str
) -> Callable[[], Iterator[SurfacePoints]]:
    """What goes through a job's shot anew at every call, and yields the points of `frames`, rising scene frames.

    `device` is a Warp device. Raises BadJobError, when called, naming a file that is missing or damaged.
    """
    shot = job.shot
    # Motion and coordinates need the same passes one after the other.
    reader = lru_cache(maxsize=2)(lambda frame: read_frame_passes(job, job_dir, frame))
    cameras = {camera.frame: camera for camera in shot.cameras}
    objects = objects_reader(job, job_dir)
    clip = Clip(
        shot.pass_frames,
        shot.pass_frames,
        reader,
        cameras,
        width=shot.width,
        height=shot.height,
        background_depth=shot.background_depth,
        sample_offset=shot.sample_offset,
        objects=objects,
        device=device,
        keep=2,
    )
    tracker = SurfaceTracker(
        clip,
        reader,
        cameras,
        background_depth=shot.background_depth,
        sample_offset=shot.sample_offset,
        objects=objects,
    )
    return lambda: tracker.points(frames)
