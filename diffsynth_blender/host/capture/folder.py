"""The job folder while it is being filled: one shot a folder, every file whole.

Knows file names; knows nothing of Blender.
"""

import os
import shutil
from pathlib import Path

from ...protocol import JOB_FILE, JOURNAL_FILE, REPORT_FILE, Job, JobBusyError, output_path, save_job
from ...protocol.job import CACHE_FOLDER
from .checks import CaptureError
from .hold import FolderHold

SOURCE_PATTERN = "source/{frame:04d}.png"
PASSES_PATTERN = "passes/{frame:04d}.exr"
OBJECTS_PATTERN = "passes/{frame:04d}.objects.json"

_FOLDERS = ("source", "passes", "baseline", CACHE_FOLDER)
_FILES = (JOB_FILE, JOURNAL_FILE, REPORT_FILE)


class CaptureFolder:
    """A job folder that receives a shot. Nobody else is at it from `prepare` to `release`."""

    def __init__(self, job_dir: Path) -> None:
        self.path = Path(job_dir).absolute()
        self._hold: FolderHold | None = None

    def prepare(self, *, overwrite: bool, go_on: bool = False, wait_seconds: float = 0.0) -> None:
        """Make the folder ready for a new shot, and hold it.

        Frames of two captures are never mixed: a folder that holds any is refused, or emptied of everything that
        belongs to its job (and of nothing else) with `overwrite`. Only its results stay, for strips that show them,
        until the new ones take their places.

        Args:
            overwrite: Whether a shot that it holds may go.
            go_on: Whether what it holds is the beginning of the same shot, and stays.
            wait_seconds: How long to wait for whoever is at it.

        Raises:
            CaptureError: It holds a shot and `overwrite` is not set, or it cannot be written.
            JobBusyError: A worker or another Blender is at it.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._hold = FolderHold(self.path, wait_seconds=wait_seconds)
            left = [name for name in (*_FILES, *_FOLDERS) if self._is_filled(name)]
            if go_on:
                if JOB_FILE in left:
                    raise JobBusyError(f"{self.path}: another Blender has rendered this shot just now; start again")
                self.drop_unfinished()
                left = []
            if left and not overwrite:
                raise CaptureError(
                    f"{self.path} already holds a job ({', '.join(left)}): choose another folder, or overwrite it."
                )
            for name in left:  # job.json first: half a folder is no job
                path = self.path / name
                if path.is_dir():
                    shutil.rmtree(path)
                elif name != JOURNAL_FILE:  # which is what the folder is held by
                    path.unlink()
            self._hold.forget_runs()
            for pattern in (SOURCE_PATTERN, PASSES_PATTERN, OBJECTS_PATTERN):
                (self.path / pattern).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self.release()
            raise CaptureError(f"{self.path} cannot be written: {error.strerror}; choose another folder.") from error
        except (CaptureError, JobBusyError):
            self.release()
            raise

    def release(self) -> None:
        """Let others at the folder."""
        if self._hold is not None:
            self._hold.release()

    def final_path(self, pattern: str, frame: int) -> Path:
        """Where a frame's file belongs."""
        return self.path / pattern.format(frame=frame)

    def writing_path(self, pattern: str, frame: int) -> Path:
        """The name that a frame's file has while it is written."""
        path = self.final_path(pattern, frame)
        return path.with_name(f".writing-{path.name}")

    def holds(self, pattern: str, frame: int) -> bool:
        """Whether a frame's file is there, as a whole."""
        return self.final_path(pattern, frame).is_file()

    def finish(self, pattern: str, frame: int) -> bool:
        """Give a written file its name. False where the render left no file."""
        try:
            with self.writing_path(pattern, frame).open("rb+") as file:
                os.fsync(file.fileno())  # or a power cut leaves the name of a file without its content
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
        return any(path.iterdir()) if path.is_dir() else path.exists() and path.stat().st_size > 0
