"""The job folder while it is being filled: one shot a folder, every file whole.

Knows file names; knows nothing of Blender.
"""

import os
import shutil
from pathlib import Path

from ...protocol import JOB_FILE, JOURNAL_FILE, REPORT_FILE, Job, output_path, save_job
from ...protocol.job import CACHE_FOLDER
from .checks import CaptureError

SOURCE_PATTERN = "source/{frame:04d}.png"
PASSES_PATTERN = "passes/{frame:04d}.exr"
OBJECTS_PATTERN = "passes/{frame:04d}.objects.json"

_FOLDERS = ("source", "passes", "baseline", CACHE_FOLDER)
_FILES = (JOB_FILE, JOURNAL_FILE, REPORT_FILE)


class CaptureFolder:
    """A job folder that receives a shot."""

    def __init__(self, job_dir: Path) -> None:
        self.path = Path(job_dir).absolute()

    def prepare(self, *, overwrite: bool) -> None:
        """Make the folder ready for a new shot.

        Frames of two captures are never mixed: a folder that holds any is refused, or emptied of everything that
        belongs to its job (and of nothing else) with `overwrite`. Only its results stay, for strips that show them,
        until the new ones take their places.

        Raises:
            CaptureError: It holds a shot and `overwrite` is not set, or it cannot be written.
        """
        try:
            left = [name for name in (*_FILES, *_FOLDERS) if self._is_filled(name)]
            if left and not overwrite:
                raise CaptureError(
                    f"{self.path} already holds a job ({', '.join(left)}): choose another folder, or overwrite it."
                )
            for name in left:  # job.json first: half a folder is no job
                path = self.path / name
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            for pattern in (SOURCE_PATTERN, PASSES_PATTERN, OBJECTS_PATTERN):
                (self.path / pattern).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CaptureError(f"{self.path} cannot be written: {error.strerror}; choose another folder.") from error

    def final_path(self, pattern: str, frame: int) -> Path:
        """Where a frame's file belongs."""
        return self.path / pattern.format(frame=frame)

    def writing_path(self, pattern: str, frame: int) -> Path:
        """The name that a frame's file has while it is written."""
        path = self.final_path(pattern, frame)
        return path.with_name(f".writing-{path.name}")

    def finish(self, pattern: str, frame: int) -> bool:
        """Give a written file its name. False where the render left no file."""
        try:
            os.replace(self.writing_path(pattern, frame), self.final_path(pattern, frame))
        except FileNotFoundError:
            return False
        return True

    def finish_job(self, job: Job) -> None:
        """Write job.json, when everything else is there; results of frames that the new job has not are removed."""
        results = {output_path(self.path, frame) for frame in job.shot.frames}
        for path in (self.path / "output").glob("*.png"):
            if path not in results:
                path.unlink()
        save_job(job, self.path)

    def drop_unfinished(self) -> None:
        """Remove what an interrupted render may have left."""
        for pattern in (SOURCE_PATTERN, PASSES_PATTERN, OBJECTS_PATTERN):
            for path in (self.path / pattern).parent.glob(".writing-*"):
                path.unlink()

    def _is_filled(self, name: str) -> bool:
        path = self.path / name
        return any(path.iterdir()) if path.is_dir() else path.exists()
