"""The few pass frames that are being worked on, on the device, however long the clip is."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import warp as wp

from ..bands import Bands
from ..passes.exr import ExactPasses
from . import kernels
from .cameras import CameraLike
from .cuts import Probes, is_cut, probe


@dataclass(frozen=True)
class Poses:
    """The matrices of one frame's objects."""

    id: np.ndarray
    """Object ids, rising, int32, shape (N,)."""
    matrix: np.ndarray
    """Object to world, float64, shape (N, 4, 4); all can be inverted."""

    def of(self, ids: np.ndarray) -> np.ndarray:
        """Return the matrices of `ids`, all of which must be there."""
        return self.matrix[np.searchsorted(self.id, ids)]


@dataclass(frozen=True)
class Residual:
    """How far a frame's vectors and matrices disagree on the way to a neighbouring frame."""

    field: wp.array
    """Distance [px], -1 where there is no matrix, float, shape (H, W), on the device."""
    largest: float
    """Largest distance [px]."""


@dataclass(frozen=True)
class PassFrame:
    """The passes of one frame as motion needs them."""

    surfaces: kernels.Surfaces
    """Ids, depth and motion on the device."""
    probes: Probes
    """What is needed to notice a cut, on the host."""
    object_id: np.ndarray
    """As `surfaces.id`, on the host, shape (H, W)."""
    seen: np.ndarray
    """Ids of the objects that the frame shows, rising."""
    poses: Poses
    """The objects' matrices."""
    residuals: dict[bool, Residual] = field(default_factory=dict)
    """On the way to the next frame (True) and to the previous one."""


class PassFrames:
    """Reads pass frames when they are first needed and forgets the oldest ones.

    Attributes:
        keep: frames held at a time; at least two.
    """

    def __init__(
        self,
        reader: Callable[[int], ExactPasses],
        objects: Callable[[int], Mapping[int, object]] | None,
        cameras: Mapping[int, CameraLike],
        bands: Bands,
        *,
        width: int,
        height: int,
        background_depth: float,
        sample_offset: tuple[float, float],
        keep: int,
    ):
        """Take what `Clip` was given; nothing is read yet."""
        self.keep = keep
        self.cameras = cameras
        self.sample_offset = sample_offset
        self._reader = reader
        self._objects = objects
        self._bands = bands
        self._size = (width, height)
        self._background_depth = background_depth
        self._held: OrderedDict[int, PassFrame] = OrderedDict()
        self._cuts: dict[tuple[int, int], bool] = {}

    def __getitem__(self, frame: int) -> PassFrame:
        """Return the passes of scene frame `frame`."""
        held = self._held.get(frame)
        if held is None:
            held = self._held[frame] = self._read(frame)
        self._held.move_to_end(frame)
        while len(self._held) > self.keep:
            self._held.popitem(last=False)
        return held

    def is_cut(self, near: int, far: int) -> bool:
        """Whether the shot cuts to another camera between two neighbouring pass frames."""
        if (near, far) not in self._cuts:
            self._cuts[near, far] = is_cut(
                self[near].probes,
                self[far].probes,
                self.cameras[far],
                ahead=far > near,
                sample_offset=self.sample_offset,
            )
        return self._cuts[near, far]

    def _read(self, frame: int) -> PassFrame:
        passes = self._reader(frame)
        width, height = self._size
        if passes.depth.shape != (height, width):
            raise ValueError(
                f"passes of frame {frame} are {passes.depth.shape[1]}x{passes.depth.shape[0]} px, "
                f"the clip is {width}x{height} px: capture the frame again"
            )
        device = self._bands.device
        depth = wp.array(np.ascontiguousarray(passes.depth), dtype=float, device=device, copy=False)
        ids = wp.array(np.ascontiguousarray(passes.object_id), dtype=wp.int32, device=device, copy=False)
        vector = wp.array(np.ascontiguousarray(passes.vector), dtype=wp.vec4, device=device, copy=False)
        shape = (height, width)
        surfaces = kernels.Surfaces()
        surfaces.depth = depth
        surfaces.id = wp.empty(shape, dtype=wp.int32, device=device)
        surfaces.tolerance = wp.empty(shape, dtype=float, device=device)
        surfaces.edge = wp.empty(shape, dtype=wp.uint8, device=device)
        surfaces.forward = wp.empty(shape, dtype=wp.vec2, device=device)
        surfaces.backward = wp.empty(shape, dtype=wp.vec2, device=device)
        launch = partial(self._bands.launch, shape=shape)
        # Each kernel reads neighbours that the one before it wrote, so the bands wait in between.
        launch(
            kernels.read_motion,
            inputs=[depth, ids, vector, self._background_depth],
            outputs=[surfaces.id, surfaces.forward, surfaces.backward],
        )
        launch(kernels.find_tolerance, inputs=[depth, surfaces.id], outputs=[surfaces.tolerance])
        launch(kernels.find_edges, inputs=[surfaces], outputs=[surfaces.edge])
        surface_id = surfaces.id.numpy()
        seen = np.unique(surface_id)
        poses = read_poses(self._objects(frame) if self._objects else {})
        return PassFrame(surfaces, probe(passes, self._background_depth), surface_id, seen[seen != 0], poses)


def read_poses(matrices: Mapping[int, object]) -> Poses:
    """Return matrices by object id as arrays, without those that squash an object flat."""
    ids = np.array(sorted(matrices), np.int32)
    stack = np.array([matrices[id] for id in ids.tolist()], np.float64).reshape(-1, 4, 4)
    invertible = np.linalg.cond(stack[:, :3, :3]) < 1e6
    return Poses(ids[invertible], stack[invertible])
