"""Footage without passes: all that is known of it is its pictures."""

from __future__ import annotations

from ..bands import Bands


class Footage:
    """A clip of pictures only; takes the place of `motion.clip.Clip`, and patch matching that of its motion."""

    def __init__(self, frame_count: int, *, width: int, height: int, device: str = "cpu", threads: int | None = None):
        """Describe the footage.

        Args:
            frame_count: frames in all.
            width: size of a frame [px].
            height: size of a frame [px].
            device: Warp device name.
            threads: threads on a processor; None means one for every core.
        """
        self.frames = tuple(range(frame_count))
        self.width = width
        self.height = height
        self.bands = Bands(device, threads=threads)

    def reserve(self, window: int) -> None:
        """Do nothing: there are no passes to keep."""
