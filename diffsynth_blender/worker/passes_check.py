"""The passes of a job held against its cameras and matrices, frame by frame; complaints name the file."""

from collections.abc import Mapping
from pathlib import Path

from ..passes.consistency import PassChecks
from ..passes.errors import PassError
from ..passes.exr import ExactPasses, read_samples
from ..protocol import BadJobError, Job


class PassesCheck:
    """Looks at every frame of a shot with passes, in order."""

    def __init__(self, job: Job, job_dir: Path) -> None:
        """For a job at the size that is computed."""
        shot = job.shot
        self._shot, self._job_dir = shot, job_dir
        self._cameras = {camera.frame: camera for camera in shot.cameras}
        self._samples: int | None = None
        self._checks = PassChecks(
            width=shot.width,
            height=shot.height,
            background_depth=shot.background_depth,
            sample_offset=shot.sample_offset,
            factor=job.settings.upscale,
        )

    def see(self, frame: int, passes: ExactPasses, objects: Mapping[int, object]) -> None:
        """Look at a scene frame. Raises BadJobError naming its file and what to do."""
        camera, path = self._cameras[frame], self._shot.passes_path(self._job_dir, frame)
        try:
            self._checks.see(frame, passes, camera.world_to_camera, camera.projection, objects)
        except PassError as error:
            raise BadJobError(f"{path}: {error}") from error
        if self._samples is None:
            self._samples = read_samples(path, self._shot.channels) or 1

    def notes(self) -> list[str]:
        """What is less exact than it could be, a sentence each; once every frame was seen."""
        notes = self._checks.notes()
        if self._samples is not None and self._samples > 1:
            notes.append(
                f"The passes were rendered with {self._samples} samples a pixel, so motion along edges is a blend of "
                "both sides, and some pixels there find no counterpart; passes of the source Render have one sample"
            )
        return notes
