"""What a deflickering works on: which frames, from which files, into which folder. All that names alone can tell.

Opens no image and imports nothing heavy.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from ..protocol.deflicker import DEFLICKER_MODES, WINDOW_LIMIT
from ..protocol.errors import BadJobError
from ..protocol.job import CACHE_FOLDER, JOB_FILE, Job, baseline_path, load_job, output_path
from ..protocol.job_folder import check_folder
from ..protocol.journal import JOURNAL_FILE
from ..protocol.messages import DeflickerFrames
from ..protocol.settings import DEVICES
from ..protocol.texts import is_path, shortened
from .sequences import gaps, list_frames, missing, some


@dataclass(frozen=True)
class DeflickerPlan:
    """A deflickering whose folders fit together."""

    style: dict[int, Path]
    """By frame number: the frames to make steady, or in mode "keyframes" the key frames."""
    guide: dict[int, Path]
    """By frame number, rising: what moves where. Its frames are the frames of the result."""
    output_dir: Path
    job_dir: Path | None
    """The job folder that holds the exact passes; None where motion is found by comparing the guide's frames."""
    job: Job | None
    mode: str
    window: int
    device: str

    @property
    def frames(self) -> tuple[int, ...]:
        """Frame numbers of the result, rising."""
        return tuple(self.guide)

    @property
    def uses_keys(self) -> bool:
        """Whether all frames are made from a few."""
        return self.mode == "keyframes"

    def result(self, frame: int) -> Path:
        """Where a frame of the result lies."""
        return self.output_dir / f"{frame:04d}.png"


def make_plan(request: DeflickerFrames) -> DeflickerPlan:
    """Find the frames and match them. Raises BadJobError naming the folder or file and the remedy."""
    if request.mode not in DEFLICKER_MODES:
        raise BadJobError(f"mode {request.mode!r} is not known; choose one of {', '.join(DEFLICKER_MODES)}")
    if request.device not in DEVICES:
        raise BadJobError(f"device {request.device!r} is not known; choose one of {', '.join(DEVICES)}")
    if not 0 <= request.window <= WINDOW_LIMIT:
        raise BadJobError(f"a window of {request.window} frames cannot be used; choose 0 to {WINDOW_LIMIT}")
    for folder in (request.style_dir, request.output_dir, request.guide_dir, request.job_dir):
        if folder is not None and not is_path(folder):
            raise BadJobError(f"{shortened(folder)}: cannot be the path of a folder; choose one that is there")
    style_dir, output_dir = Path(request.style_dir), Path(request.output_dir)
    if (request.guide_dir is None) == (request.job_dir is None):
        raise BadJobError(
            f"{style_dir}: what shows the motion of these frames? Give either a job folder (--job JOB) or a folder of "
            "frames (--guide DIR); the style frames themselves will do as a guide"
        )
    job_dir = None if request.job_dir is None else Path(request.job_dir)
    job = None if job_dir is None else load_job(job_dir)
    if job is not None:  # its frames are taken as they were rendered
        job = replace(job, settings=replace(job.settings, upscale=1))
    style = list_frames(style_dir)
    if job is not None and job_dir is not None:
        guide_name, guide = str(job_dir), {frame: job.shot.source_path(job_dir, frame) for frame in job.shot.frames}
    else:
        assert request.guide_dir is not None
        guide_name, guide = request.guide_dir, list_frames(Path(request.guide_dir))
    if request.mode == "keyframes":
        _check_keys(style_dir, style, guide_name, guide)
    else:
        guide = _matched(style_dir, style, guide_name, guide)
    plan = DeflickerPlan(style, guide, output_dir, job_dir, job, request.mode, request.window, request.device)
    _check_output(plan, style_dir, None if request.guide_dir is None else Path(request.guide_dir))
    return plan


def _matched(style_dir: Path, style: dict[int, Path], guide_name: str, guide: dict[int, Path]) -> dict[int, Path]:
    """The guide's frames for exactly the style's; refuses what would leave either alone."""
    if absent := [frame for frame in style if frame not in guide]:
        raise BadJobError(
            f"{guide_name}: has no {some(absent)}, but {style_dir} has; it needs one for every style frame, "
            "under the same number"
        )
    first, last = min(style), max(style)
    needed = {frame: path for frame, path in guide.items() if first <= frame <= last}
    if absent := sorted((set(needed) | set(gaps(list(style)))) - set(style)):
        raise BadJobError(
            f"{style_dir}: {missing(absent)} between {first} and {last}; add what is missing, or choose mode "
            "keyframes to have it made"
        )
    return needed


def _check_keys(style_dir: Path, style: dict[int, Path], guide_name: str, guide: dict[int, Path]) -> None:
    if {path.parent.resolve() for path in style.values()} == {path.parent.resolve() for path in guide.values()}:
        raise BadJobError(
            f"{style_dir}: cannot guide its own key frames; give the frames they were painted over (--guide DIR or "
            "--job JOB)"
        )
    if absent := [frame for frame in style if frame not in guide]:
        first, last = min(guide), max(guide)
        raise BadJobError(
            f"{style_dir}: has key {some(absent)}, which {guide_name} has not; its frames are {first} to {last}, "
            "name each key frame by the number of the frame it was painted over"
        )
    if absent := gaps(list(guide)):
        raise BadJobError(f"{guide_name}: {missing(absent)}; in mode keyframes the guide has every frame of the result")


def _check_output(plan: DeflickerPlan, style_dir: Path, guide_dir: Path | None) -> None:
    """Nothing that somebody else made is ever written over."""
    output = plan.output_dir.resolve()
    for name, folder in (("style", style_dir), ("guide", guide_dir)):
        if folder is not None and output == folder.resolve():
            raise BadJobError(f"{plan.output_dir}: is the {name} folder, which is never written to; choose another")
    if (output / JOB_FILE).exists():
        raise BadJobError(f"{plan.output_dir}: is a job folder; choose an empty folder, or a new one inside it")
    if plan.job_dir is not None and plan.job is not None:
        shot = plan.job.shot
        own = {output_path(plan.job_dir, 0).parent, baseline_path(plan.job_dir, 0).parent, plan.job_dir / CACHE_FOLDER}
        own.add(shot.source_path(plan.job_dir, 0).parent)
        if shot.passes is not None:
            own.add(shot.passes_path(plan.job_dir, 0).parent)
        for folder in own:
            if output.is_relative_to(folder.resolve()):
                raise BadJobError(f"{plan.output_dir}: lies in the job's own {folder.name}/; choose another folder")
    if output.exists() and not output.is_dir():
        raise BadJobError(f"{plan.output_dir}: is not a folder; choose another")
    check_folder(output)
    if not (output / JOURNAL_FILE).exists():
        for frame in plan.frames:
            if os.path.lexists(plan.result(frame)):
                raise BadJobError(
                    f"{plan.result(frame)}: was not made by this command and would be written over; choose an empty "
                    "folder"
                )
