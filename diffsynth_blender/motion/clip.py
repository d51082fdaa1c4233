"""Correspondence between any two frames of a clip, from exact motion.

Three ways lead from a pixel to its place in another frame:
- rigid objects go straight, by matrices, so that what was hidden in between is found again;
- everything else in the foreground is composed from one-frame motion vectors, and lost once it is hidden;
- the background is at infinity and only turns with the camera.

Positions are composed, never colours: a colour is gathered once, at the end, by whoever uses the
field. Memory is bounded by the number of pass frames kept, not by the length of the clip.

Nothing corresponds across a cut from one camera to another, though matrices could tell where things are: the vectors,
which vouch for the matrices, follow one camera; and a cut is where a viewer expects the picture to change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise

import numpy as np
import warp as wp

from ..bands import Bands
from ..passes.exr import ExactPasses
from . import kernels, rigid_kernels, walk_kernels
from .cameras import CameraLike, background_homography
from .composition import Composition
from .pass_frames import PassFrames
from .rigid import RigidPath, RigidSteps


class Clip:
    """The exact motion of a shot.

    Frames are addressed by their index in `frames`. Coordinates are array coordinates: a pixel's
    centre is at integers, x to the right, y down.
    """

    def __init__(
        self,
        frames: Sequence[int],
        pass_frames: Sequence[int],
        reader: Callable[[int], ExactPasses],
        cameras: Mapping[int, CameraLike],
        *,
        width: int,
        height: int,
        background_depth: float,
        sample_offset: tuple[float, float] = (0.0, 0.0),
        objects: Callable[[int], Mapping[int, object]] | None = None,
        device: str = "cpu",
        threads: int | None = None,
        keep: int = 12,
    ):
        """Describe the shot; passes are read when they are first needed.

        Args:
            frames: scene frames of the clip, rising.
            pass_frames: scene frames with passes: every one from the first frame to the last.
            reader: returns the passes of a scene frame.
            cameras: camera of each pass frame.
            width: size of a frame [px].
            height: size of a frame [px].
            background_depth: a pixel at this depth or beyond it is background.
            sample_offset: where passes are sampled relative to the pixel's centre [px], y down.
            objects: returns, for a scene frame, the matrix (4, 4) from object to world by object id (as in
                `ExactPasses`), rows first, of any of the objects, rigid or not; None where there are no matrices.
            device: Warp device name.
            threads: threads on a processor; None means one for every core.
            keep: pass frames held in memory at a time.

        Raises:
            ValueError: a frame has no passes, or a pass frame has no camera.
        """
        needed = range(min(frames), max(frames) + 1)
        missing = sorted(set(needed) - set(pass_frames))
        if missing:
            raise ValueError(
                f"passes of frames {_some(missing)} are missing: motion is composed through every "
                "frame from the first to the last, capture the shot again"
            )
        missing = sorted(set(needed) - set(cameras))
        if missing:
            raise ValueError(f"cameras of frames {_some(missing)} are missing: capture the shot again")
        self.frames = tuple(frames)
        self.width = width
        self.height = height
        self.bands = Bands(device, threads=threads)
        self.bands.load(kernels, walk_kernels)
        self._sample_offset = sample_offset
        self._pass_frames = PassFrames(
            reader,
            objects,
            cameras,
            self.bands,
            width=width,
            height=height,
            background_depth=background_depth,
            sample_offset=sample_offset,
            keep=max(2, keep),
        )
        self._rigid = None
        if objects is not None:
            self._rigid = RigidSteps(
                self._pass_frames, self.bands, width=width, height=height, sample_offset=sample_offset
            )

    def reserve(self, window: int) -> None:
        """Keep enough pass frames for a window of `window` frames to either side."""
        steps = max((b - a for a, b in pairwise(self.frames)), default=1)
        self._pass_frames.keep = max(self._pass_frames.keep, 2 * window * steps + 2)

    def surfaces(self, index: int) -> kernels.Surfaces:
        """Return what frame `index` shows, on the device."""
        return self._pass_frames[self.frames[index]].surfaces

    def field(self, target: int, source: int) -> np.ndarray:
        """Return where the surface points seen in frame `target` lie in frame `source`.

        Returns:
            float32, shape (H, W, 3): x, y [px] and visibility [0, 1]; where visibility is 0 the
            position means nothing.
        """
        ((_, trace),) = self.traces(target, (source,))
        field = wp.empty((self.height, self.width), dtype=wp.vec3, device=self.bands.device)
        self._launch(kernels.write_field, [trace], [field])
        return field.numpy()

    def traces(self, target: int, sources: Iterable[int]) -> list[tuple[int, wp.array]]:
        """Return (source, trace) for each of `sources`; a trace is vec4, shape (H, W).

        A trace holds x, y [px], depth and visibility in the source frame. All sources on one side
        of the target share the walk, so a window costs as much as its farthest frames.
        """
        wanted = set(sources)
        found = {}
        for side in (-1, 1):
            chosen = sorted((s for s in wanted if (s - target) * side > 0), key=lambda s: s * side)
            found.update(self._walk(target, chosen, side))
        if target in wanted:
            found[target] = Composition(self._pass_frames, self.bands, self.frames[target]).trace()
        return sorted(found.items())

    def _walk(self, target: int, sources: list[int], side: int) -> dict[int, wp.array]:
        """Trace frame `target` to `sources`, which lie in order on one side of it."""
        frame = self.frames[target]
        walk = Composition(self._pass_frames, self.bands, frame)
        path = RigidPath(self._rigid, frame) if self._rigid else None
        cut = False
        found = {}
        for source in sources:
            while frame != self.frames[source]:
                cut = cut or self._pass_frames.is_cut(frame, frame + side)
                frame += side
                if cut:
                    continue
                if path is not None:
                    path.go_to(frame)
                # Where matrices move everything there is nothing to compose.
                if path is None or not path.covers_target():
                    walk.go_to(frame)
            if cut:
                found[source] = wp.zeros((self.height, self.width), dtype=wp.vec4, device=self.bands.device)
            else:
                found[source] = walk.finish(frame, self._homography(target, source), goes_on=source != sources[-1])
                if path is not None:
                    found[source] = self._move_rigid(target, source, path, found[source])
        return found

    def _homography(self, target: int, source: int) -> wp.mat33d:
        """Return how the background moves."""
        cameras = self._pass_frames.cameras
        matrix = background_homography(
            cameras[self.frames[target]],
            cameras[self.frames[source]],
            self.width,
            self.height,
            self._sample_offset,
        )
        return wp.mat33d(*matrix.ravel().tolist())

    def _move_rigid(self, target: int, source: int, path: RigidPath, trace: wp.array) -> wp.array:
        """Return a finished trace with the rigid objects moved by their matrices."""
        finished = self._empty()
        self._launch(
            rigid_kernels.trace_rigid,
            [self.surfaces(target), self.surfaces(source), path.movements(), path.residual(), trace],
            [finished],
        )
        return finished

    def _launch(self, kernel: wp.Kernel, inputs: list, outputs: list) -> None:
        self.bands.launch(kernel, (self.height, self.width), inputs, outputs)

    def _empty(self) -> wp.array:
        return wp.empty((self.height, self.width), dtype=wp.vec4, device=self.bands.device)


def _some(frames: list[int]) -> str:
    """Return the first few frame numbers as text."""
    return ", ".join(map(str, frames[:5])) + (" ..." if len(frames) > 5 else "")
