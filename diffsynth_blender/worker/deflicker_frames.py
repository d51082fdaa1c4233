"""The pixels of a deflickering: read from whatever files there are, one frame at a time, and written as PNG."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from ..passes.errors import PassError
from ..passes.png_text import with_text
from ..passes.stills import Still, encode_still, inspect, read_still
from ..protocol import BadJobError, settings_hash
from ..protocol.files import file_sha256, write_bytes_atomic
from .deflicker_plan import DeflickerPlan

RESULT_VERSION = 1
"""Raise when the same inputs give another result, so that frames of before are not mixed with those of after."""


class FrameFiles:
    """Frames of one plan: all of one size, checked before anything is computed."""

    def __init__(self, plan: DeflickerPlan, before_read: Callable[[], None]) -> None:
        """Look at the head of every file. Raises BadJobError naming the file that does not fit.

        Args:
            plan: which files.
            before_read: called before each frame is read; its exceptions come through.
        """
        self._plan = plan
        self._before_read = before_read
        # The guide may be the style: each file once.
        heads = {path: _inspect(path) for path in dict.fromkeys((*plan.style.values(), *plan.guide.values()))}
        first = next(iter(plan.style.values()))
        self.width, self.height = heads[first].width, heads[first].height
        self.depth = max(heads[path].depth for path in plan.style.values())
        """Bits a channel of the result: those of the best style frame."""
        if plan.job is not None and (self.width, self.height) != (plan.job.shot.width, plan.job.shot.height):
            raise BadJobError(
                f"{first}: is {self.width}x{self.height} px, the job's frames are {plan.job.shot.width}x"
                f"{plan.job.shot.height} px; make the style frames of the job's size"
            )
        for path, head in heads.items():
            if (head.width, head.height) != (self.width, self.height):
                raise BadJobError(
                    f"{path}: is {head.width}x{head.height} px, {first.name} is {self.width}x{self.height} px; make "
                    "all frames of one size"
                )

    def style(self, frame: int) -> np.ndarray:
        """A style frame, float32 (H, W, 3) in [0, 1]. Raises BadJobError, as do the next two."""
        return self._read(self._plan.style[frame])

    def guide(self, frame: int) -> np.ndarray:
        """A guide frame, as `style`."""
        return self._read(self._plan.guide[frame])

    def result(self, frame: int) -> np.ndarray:
        """A frame of the result that was written, as `style`."""
        return self._read(self._plan.result(frame))

    def write(self, frame: int, pixels: np.ndarray, text: Mapping[str, str]) -> Path:
        """Write a frame of the result, whole or not at all, with what it was made with; return its path."""
        path = self._plan.result(frame)
        write_bytes_atomic(path, with_text(encode_still(pixels, self.depth), text))
        return path

    def _read(self, path: Path) -> np.ndarray:
        self._before_read()
        try:
            return read_still(path, width=self.width, height=self.height)
        except PassError as error:
            raise BadJobError(str(error)) from error


def inputs_hash(plan: DeflickerPlan, advance: Callable[[int, int, int], None]) -> str:
    """SHA-256 (hexadecimal) of all that decides the result: choices, and every byte of the frames that are read.

    The passes of a job folder are made by the same render as its source frames: hashing these does for both.

    Args:
        plan: what is hashed.
        advance: called with (frames hashed, frames in all, frame).
    """
    choices = [RESULT_VERSION, plan.mode, plan.window, plan.frames, list(plan.style)]
    choices.append(None if plan.job is None else settings_hash(plan.job))
    digest = hashlib.sha256(json.dumps(choices).encode())
    for done, frame in enumerate(plan.frames):
        for path in (plan.style.get(frame), plan.guide[frame]):
            if path is not None:
                digest.update(file_sha256(path).encode())
        advance(done + 1, len(plan.frames), frame)
    return digest.hexdigest()


def _inspect(path: Path) -> Still:
    try:
        return inspect(path)
    except PassError as error:
        raise BadJobError(str(error)) from error
