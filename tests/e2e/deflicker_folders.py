"""Folders for a deflickering: a clip in closed form, the same in another look, and that look with flicker."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from diffsynth_blender.protocol import Job
from tests.e2e.job_folder import write_job_folder
from tests.reference.scene import Scene


@dataclass(frozen=True)
class Folders:
    """What a deflickering is given."""

    root: Path
    job: Job

    @property
    def job_dir(self) -> Path:
        """The job folder, with source frames and exact passes."""
        return self.root / "job"

    @property
    def guide(self) -> Path:
        """The plain render: the job's source frames."""
        return self.job_dir / "source"

    @property
    def style(self) -> Path:
        """Another look, flickering."""
        return self.root / "style"

    @property
    def truth(self) -> Path:
        """The same look, steady."""
        return self.root / "truth"


def write_folders(root: Path, *, frames: int = 6, scene: Scene | None = None, seed: int = 0) -> Folders:
    """Write all folders. The flicker is a colour cast and grain of each frame's own."""
    job = write_job_folder(root / "job", frames=frames, scene=scene)
    folders = Folders(root, job)
    random = np.random.default_rng(seed)
    for frame in job.shot.frames:
        truth = 1.0 - read(folders.guide / f"{frame:04d}.png")[..., ::-1]
        cast, grain = random.normal(0, 8 / 255, 3), random.normal(0, 10 / 255, truth.shape)
        write(folders.truth / f"look_{frame:04d}.png", truth)
        write(folders.style / f"look_{frame:04d}.png", truth + cast + grain)
    return folders


def read(path: Path) -> np.ndarray:
    """A frame as (H, W, 3) in [0, 1]."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), np.float64) / 255


def write(path: Path, frame: np.ndarray) -> None:
    """Write a frame in [0, 1] as an 8-bit PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.rint(np.clip(frame, 0, 1) * 255).astype(np.uint8)).save(path)


def error(folder: Path, truth: Path) -> float:
    """Mean squared difference of all frames of two folders, matched in order."""
    pairs = zip(sorted(folder.glob("*.png")), sorted(truth.glob("*.png")), strict=True)
    return float(np.mean([np.mean((read(a) - read(b)) ** 2) for a, b in pairs]))
