"""The few pass frames that are being worked on, on the device, however long the clip is."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import warp as wp

from ..passes.exr import ExactPasses
from . import kernels
from .bands import Bands
from .cameras import CameraLike, project

CUT_PROBES = 32
"""Probe points along each side of the frame when looking for a cut: 1024 decide it well enough."""


@dataclass(frozen=True)
class PassFrame:
    """The passes of one frame as motion needs them."""

    surfaces: kernels.Surfaces
    """Ids, depth and motion on the device."""
    passes: ExactPasses
    """The same frame on the host."""


class PassFrames:
    """Reads pass frames when they are first needed and forgets the oldest ones.

    Attributes:
        keep: frames held at a time; at least two.
    """

    def __init__(
        self,
        reader: Callable[[int], ExactPasses],
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
        """Whether the camera jumps between two neighbouring pass frames.

        Blender's vectors follow one camera object; where the shot changes to another one they lead
        to places that may look consistent and are not. A cut is where the vectors contradict the
        two cameras by a quarter of the picture and most of what they lead to is something else
        (a camera on a moving car also contradicts the ground, but keeps seeing the car).
        """
        key = (near, far)
        if key not in self._cuts:
            self._cuts[key] = self._find_cut(near, far)
        return self._cuts[key]

    def _find_cut(self, near: int, far: int) -> bool:
        width, height = self._size
        here, there = self[near].passes, self[far].passes
        rows = np.linspace(0, height - 1, min(CUT_PROBES, height)).astype(int)
        columns = np.linspace(0, width - 1, min(CUT_PROBES, width)).astype(int)
        y, x = (grid.ravel() for grid in np.meshgrid(rows, columns, indexing="ij"))
        foreground = here.depth[y, x] < self._background_depth
        y, x = y[foreground], x[foreground]
        if not y.size:
            return False
        sign = np.array([-1.0, 1.0]) if far > near else np.array([1.0, -1.0])
        channels = slice(2, 4) if far > near else slice(0, 2)
        led = np.stack([x, y], axis=-1) + sign * here.vector[y, x, channels]
        seen = project(
            here.position[y, x].astype(np.float64),
            self.cameras[far],
            width,
            height,
            self.sample_offset,
        )
        # Behind the camera is as contradictory as it gets.
        distance = np.nan_to_num(np.linalg.norm(seen - led, axis=-1), nan=np.inf)
        if np.median(distance) <= 0.25 * max(width, height):
            return False
        column, row = np.rint(led).astype(int).T
        inside = (column >= 0) & (row >= 0) & (column < width) & (row < height)
        y, x, row, column = y[inside], x[inside], row[inside], column[inside]
        near_depth, far_depth = here.depth[y, x], there.depth[row, column]
        same = here.object_id[y, x] == there.object_id[row, column]
        same &= np.abs(near_depth - far_depth) <= 0.03 * near_depth
        return not same.size or float(np.mean(same)) < 0.5

    def _read(self, frame: int) -> PassFrame:
        passes = self._reader(frame)
        width, height = self._size
        if passes.depth.shape != (height, width):
            raise ValueError(
                f"passes of frame {frame} are {passes.depth.shape[1]}x{passes.depth.shape[0]} px, "
                f"the clip is {width}x{height} px: capture the frame again"
            )
        device = self._bands.device
        depth = wp.array(np.ascontiguousarray(passes.depth), dtype=float, device=device)
        ids = wp.array(np.ascontiguousarray(passes.object_id), dtype=wp.int32, device=device)
        vector = wp.array(np.ascontiguousarray(passes.vector), dtype=wp.vec4, device=device)
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
        return PassFrame(surfaces, passes)
