"""The controls of a job's frames: looked at in one pass over the clip, kept in the cache folder, finished when read.

What a control needs of the whole clip, such as the range of its depth, is known only after that pass; what is kept of a
frame is therefore what can be finished then, as small as it can be. Knows numpy, not torch.
"""

import io
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np

from ..passes import annotators
from ..passes.controls import DepthRange, DepthRangeFinder, RangeFinder, depth_control, grey, normal_control
from ..passes.exr import ExactPasses
from ..passes.lines import line_art, soft_edges
from ..protocol import Job
from ..protocol.job import CACHE_FOLDER
from ..writing import writing


class FrameLook(Protocol):
    """What there is to see of one frame of the shot."""

    @property
    def source(self) -> np.ndarray:
        """The frame as it is computed, float32 in [0, 1], shape (H, W, 3)."""

    @property
    def passes(self) -> ExactPasses:
        """Its exact passes; only where the shot has some."""


class ControlMaker(Protocol):
    """Makes the images of one control."""

    def see(self, frame: int, look: FrameLook, *, kept: bool) -> None:
        """Look at a scene frame of the shot, each once; `kept` where its image will be asked for."""

    def image(self, frame: int) -> np.ndarray:
        """The control of a frame that was kept, float32 in [0, 1], shape (H, W, 3); once every frame was seen."""


class ArrayFiles:
    """One array a frame in the cache folder. No checkpoint: every run writes its own before it reads them.

    A redo with other settings may run beside the job's own, so a name says all that the arrays depend on.
    """

    def __init__(self, job_dir: Path, name: str) -> None:
        """Make the folder; `name` is that of what the arrays hold, and nothing else may have the same."""
        self._folder = job_dir / CACHE_FOLDER
        self._folder.mkdir(exist_ok=True)
        self._name = name

    def write(self, frame: int, array: np.ndarray) -> None:
        """Write the array of a scene frame. Raises WriteError where the disk is full or gone."""
        content = io.BytesIO()
        np.save(content, array)  # into a file itself, it does not tell why a write failed
        with writing(self._path(frame)):
            self._path(frame).write_bytes(content.getbuffer())

    def read(self, frame: int) -> np.ndarray:
        """The array of a scene frame."""
        return np.load(self._path(frame))

    def _path(self, frame: int) -> Path:
        return self._folder / f"{self._name}-{frame:04d}.npy"


class ExactDepth:
    """Depth from exact passes, normalised over the clip."""

    def __init__(self, job: Job, job_dir: Path) -> None:
        """For the shot of a job."""
        self._background = job.shot.background_depth
        self._finder = DepthRangeFinder(self._background)
        self._files = ArrayFiles(job_dir, f"depth-{job.shot.width}")

    def see(self, frame: int, look: FrameLook, *, kept: bool) -> None:
        """See ControlMaker."""
        self._finder.add(look.passes.depth)
        if kept:
            self._files.write(frame, look.passes.depth)

    def image(self, frame: int) -> np.ndarray:
        """See ControlMaker."""
        return depth_control(self._files.read(frame), self._range, self._background)

    @cached_property
    def _range(self) -> DepthRange:
        return self._finder.range()


class ExactNormal:
    """Normals from exact passes, in camera space."""

    def __init__(self, job: Job, job_dir: Path, convention: str) -> None:
        """For the shot of a job, in the colours of one of `passes.controls.NORMAL_CONVENTIONS`."""
        self._background = job.shot.background_depth
        self._cameras = {camera.frame: np.asarray(camera.world_to_camera) for camera in job.shot.cameras}
        self._convention = convention
        self._files = ArrayFiles(job_dir, f"normal-{convention}-{job.shot.width}")

    def see(self, frame: int, look: FrameLook, *, kept: bool) -> None:
        """See ControlMaker."""
        if kept:
            camera = self._cameras[frame]
            passes = look.passes
            self._files.write(
                frame,
                normal_control(passes.normal, passes.depth, camera, self._background, convention=self._convention),
            )

    def image(self, frame: int) -> np.ndarray:
        """See ControlMaker."""
        return self._files.read(frame)


class ExactLines:
    """Silhouettes, steps and folds from exact passes."""

    DRAW = {"lineart": line_art, "softedge": soft_edges}  # noqa: RUF012 - a table

    def __init__(self, job: Job, job_dir: Path, kind: str) -> None:
        """For the shot of a job; `kind` is one of `DRAW`."""
        self._background = job.shot.background_depth
        self._draw = self.DRAW[kind]
        self._files = ArrayFiles(job_dir, f"{kind}-{job.shot.width}")

    def see(self, frame: int, look: FrameLook, *, kept: bool) -> None:
        """See ControlMaker."""
        if kept:
            self._files.write(frame, self._draw(look.passes, self._background))

    def image(self, frame: int) -> np.ndarray:
        """See ControlMaker."""
        return grey(self._files.read(frame))


class SourceTile:
    """The source frame itself, which the tile ControlNet takes."""

    def __init__(self, read_source: Callable[[int], np.ndarray]) -> None:
        """Take what reads a scene frame."""
        self._read_source = read_source

    def see(self, frame: int, look: FrameLook, *, kept: bool) -> None:
        """See ControlMaker."""

    def image(self, frame: int) -> np.ndarray:
        """See ControlMaker."""
        return self._read_source(frame)


class SamePicture:
    """One picture for every frame."""

    def __init__(self, picture: np.ndarray) -> None:
        """Take the picture (H, W, 3)."""
        self._picture = picture

    def see(self, frame: int, look: FrameLook, *, kept: bool) -> None:
        """See ControlMaker."""

    def image(self, frame: int) -> np.ndarray:
        """See ControlMaker."""
        return self._picture


class Estimated:
    """Estimated from the source frames, normalised over the clip."""

    def __init__(self, job: Job, job_dir: Path, estimator: annotators.Estimator, name: str) -> None:
        """Take the estimator, loaded, and its name."""
        self._estimator = estimator
        self._value = estimator.annotator.value
        self._values = RangeFinder()
        self._files = ArrayFiles(job_dir, f"by-{name}-{job.shot.width}")

    def see(self, frame: int, look: FrameLook, *, kept: bool) -> None:
        """See ControlMaker."""
        if not kept and self._value == "picture":
            return
        estimate = self._estimator.estimate(look.source)
        self._values.add(annotators.clip_values(self._value, estimate))
        if kept:
            self._files.write(frame, estimate)

    def image(self, frame: int) -> np.ndarray:
        """See ControlMaker."""
        return annotators.finish(self._value, self._files.read(frame), *self._range)

    @cached_property
    def _range(self) -> tuple[float, float]:
        return self._values.quantiles(annotators.QUANTILES[self._value])
