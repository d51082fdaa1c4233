"""Positions carried from frame to frame by motion vectors, for whatever moves, in one direction from a target frame."""

from __future__ import annotations

import warp as wp

from ..bands import Bands
from . import kernels, walk_kernels
from .pass_frames import PassFrames

MAX_RETURN_ERROR = 0.2
"""Largest distance [px] between a pixel and where its counterpart's motion leads back to.

Exact vectors of one surface return to within 0.05 px, but for the rims of round objects, where a pixel spans much of
the surface. Over 16 frames of two turning balls, 192x128 px, against the closed form, precision and recall of the
visibility are 0.993 and 0.979 with 0.5, 0.999 and 0.974 with 0.2, 0.9997 and 0.969 with 0.1.
"""


ROWS_PER_BAND = 48
"""Fewest rows worth a thread: each band looks at one more row at either end."""


class Composition:
    """The trace of a target frame in one frame after the other, away from it."""

    def __init__(self, pass_frames: PassFrames, bands: Bands, target: int):
        """Begin in scene frame `target`."""
        self._pass_frames = pass_frames
        self._bands = bands
        # The trace is in `_frame`, and at most one step behind `_goal`: who finishes it takes that step with it.
        self._target = self._frame = self._goal = target
        self._shape = pass_frames[target].surfaces.id.shape
        # Empty as long as it has not gone anywhere: the first step needs no array to start from.
        self._trace = self._none = wp.empty((0, 0), dtype=wp.vec4, device=bands.device)
        self._spare: wp.array | None = None

    def trace(self) -> wp.array:
        """Return the trace in the frame that it has come to, vec4, shape (H, W); the next step may overwrite it."""
        self._catch_up()
        if self._frame == self._target:
            self._trace = self._empty()
            here = self._pass_frames[self._target].surfaces
            self._bands.launch(kernels.start_trace, self._shape, [here], [self._trace])
        return self._trace

    def go_to(self, frame: int) -> None:
        """Walk on to scene frame `frame`, through every frame on the way."""
        while self._goal != frame:
            self._catch_up()
            self._goal += 1 if frame > self._goal else -1

    def finish(self, source: int, homography: wp.mat33d, *, goes_on: bool) -> wp.array:
        """Return the trace with its visibility in scene frame `source` and the background.

        Args:
            source: where the walk has come to, or any other frame where it has not left the target: then only what
                becomes of the background means anything.
            homography: where the background goes.
            goes_on: whether the walk will be asked for more; else it need not be kept.
        """
        if self._goal != source:
            self._catch_up()
        finished, kept = self._empty(), self._none
        if goes_on and self._frame != self._goal:
            kept = self._spare_array()
        self._launch(source, homography, finished, kept)
        if kept.size:
            self._come_to_goal(kept)
        return finished

    def _catch_up(self) -> None:
        """Take the step to where the walk is to be."""
        if self._frame != self._goal:
            kept = self._spare_array()
            self._launch(self._goal, wp.mat33d(), self._none, kept)
            self._come_to_goal(kept)

    def _launch(self, source: int, homography: wp.mat33d, finished: wp.array, kept: wp.array) -> None:
        """Take the step that is due, if any, and finish the trace in frame `source`; empty arrays are not wanted."""
        here, near, far = (self._pass_frames[frame].surfaces for frame in (self._target, self._frame, source))
        steps, ahead = self._frame != self._goal, self._goal > self._frame
        self._bands.launch(
            walk_kernels.walk,
            self._shape,
            [here, near, far, steps, ahead, MAX_RETURN_ERROR, homography, self._trace],
            [finished, kept],
            rows_per_band=ROWS_PER_BAND,
            whole_bands=True,
        )

    def _come_to_goal(self, trace: wp.array) -> None:
        """Take a trace in the frame of the goal for the present one."""
        self._spare = self._trace if self._trace.size else None
        self._trace = trace
        self._frame = self._goal

    def _spare_array(self) -> wp.array:
        return self._spare or self._empty()

    def _empty(self) -> wp.array:
        return wp.empty(self._shape, dtype=wp.vec4, device=self._bands.device)
