"""The controls of a job's frames: looked at in one pass over the clip, kept in the cache folder, finished when read.

What a control needs of the whole clip, such as the range of its depth, is known only after that pass; what is kept of a
frame is therefore what can be finished then, as small as it can be. Knows numpy, not torch.
"""

from pathlib import Path
from typing import Protocol

import numpy as np

from ..passes.controls import DepthRangeFinder, depth_control, normal_control
from ..passes.exr import ExactPasses
from ..protocol import Job
from ..protocol.job import CACHE_FOLDER


class ControlMaker(Protocol):
    """Makes the images of one control."""

    def see(self, frame: int, passes: ExactPasses, *, kept: bool) -> None:
        """Look at a scene frame of the shot, each once; `kept` where its image will be asked for."""

    def image(self, frame: int) -> np.ndarray:
        """The control of a frame that was kept, float32 in [0, 1], shape (H, W, 3); once every frame was seen."""


class ArrayFiles:
    """One array a frame in the cache folder. No checkpoint: every run writes its own before it reads them."""

    def __init__(self, job_dir: Path, name: str) -> None:
        """Make the folder; `name` is that of what the arrays hold."""
        self._folder = job_dir / CACHE_FOLDER
        self._folder.mkdir(exist_ok=True)
        self._name = name

    def write(self, frame: int, array: np.ndarray) -> None:
        """Write the array of a scene frame."""
        np.save(self._path(frame), array)

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
        self._files = ArrayFiles(job_dir, "control-depth")

    def see(self, frame: int, passes: ExactPasses, *, kept: bool) -> None:
        """See ControlMaker."""
        self._finder.add(passes.depth)
        if kept:
            self._files.write(frame, passes.depth)

    def image(self, frame: int) -> np.ndarray:
        """See ControlMaker."""
        return depth_control(self._files.read(frame), self._finder.range(), self._background)


class ExactNormal:
    """Normals from exact passes, in camera space."""

    def __init__(self, job: Job, job_dir: Path) -> None:
        """For the shot of a job."""
        self._background = job.shot.background_depth
        self._cameras = {camera.frame: np.asarray(camera.world_to_camera) for camera in job.shot.cameras}
        self._files = ArrayFiles(job_dir, "control-normal")

    def see(self, frame: int, passes: ExactPasses, *, kept: bool) -> None:
        """See ControlMaker."""
        if kept:
            self._files.write(
                frame, normal_control(passes.normal, passes.depth, self._cameras[frame], self._background)
            )

    def image(self, frame: int) -> np.ndarray:
        """See ControlMaker."""
        return self._files.read(frame)


EXACT = {"depth": ExactDepth, "normal": ExactNormal}
"""What makes a control of exact passes, by kind."""


def control_makers(job: Job, job_dir: Path) -> dict[str, ControlMaker]:
    """What makes each control that the settings ask for, by kind."""
    return {control.kind: EXACT[control.kind](job, job_dir) for control in job.settings.controls}
