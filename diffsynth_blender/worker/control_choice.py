"""Which maker each control of a job gets: exact where the shot has passes, estimated where it has none or is told to.

Never one in place of another unasked: what cannot be made is an error that names the setting and what to do.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..models.errors import CheckpointError
from ..models.registry import ANNOTATOR_WEIGHTS, find_checkpoint
from ..passes.annotators import ANNOTATORS, WITHOUT_WEIGHTS, Estimator, annotators_of, shuffle
from ..passes.errors import PassError
from ..protocol import JOB_FILE, BadJobError, Control, Job, ModelMissingError
from .control_makers import ControlMaker, Estimated, ExactDepth, ExactLines, ExactNormal, SamePicture, SourceTile

SHUFFLE_SEED = 0
"""The same for every frame and every job: what is shuffled is the picture, and the seed of the noise varies results."""

EXACT_KINDS = ("depth", "normal", "softedge", "lineart")
"""What exact passes show without any estimate."""


def control_makers(
    job: Job, job_dir: Path, read_source: Callable[[int], np.ndarray], reference: np.ndarray | None
) -> dict[str, ControlMaker]:
    """What makes each control that the settings ask for, by kind.

    Args:
        job: at the size that is computed.
        job_dir: the job folder, whose cache is written to.
        read_source: returns the source frame (H, W, 3) of a scene frame.
        reference: the picture whose look is taken over, (H', W', 3); None where there is none.

    Raises:
        BadJobError: a control cannot be made of what there is; names the setting.
        ModelMissingError: an annotator's weights or packages are not there.
    """
    makers: dict[str, ControlMaker] = {}
    for place, control in enumerate(job.settings.controls):
        key = f"settings.controls[{place}]"
        if control.kind == "tile":
            _refuse_annotator(control, key)
            makers[control.kind] = SourceTile(read_source)
        elif control.kind == "shuffle":
            _refuse_annotator(control, key)
            makers[control.kind] = _shuffle(job, key, reference)
        elif control.annotator or job.shot.passes is None or control.kind not in EXACT_KINDS:
            makers[control.kind] = _estimated(job, job_dir, control, key)
        else:
            makers[control.kind] = _exact(job, job_dir, control)
    return makers


def normal_convention(job: Job, control: Control) -> str:
    """The colours that a normal ControlNet wants: public ones for SD 1.5 and SDXL follow Bae's estimator."""
    if control.model:
        return "bae"
    try:
        return find_checkpoint(job.settings.model).normal_convention
    except CheckpointError as error:
        raise ModelMissingError(str(error)) from error


def _exact(job: Job, job_dir: Path, control: Control) -> ControlMaker:
    if control.kind == "depth":
        return ExactDepth(job, job_dir)
    if control.kind == "normal":
        return ExactNormal(job, job_dir, normal_convention(job, control))
    return ExactLines(job, job_dir, control.kind)


def _shuffle(job: Job, key: str, reference: np.ndarray | None) -> ControlMaker:
    if reference is None:
        raise BadJobError(
            f"{JOB_FILE}: {key}.kind is 'shuffle', which shuffles the reference picture, and settings.reference is "
            "null; give a picture, or take the control out"
        )
    try:
        return SamePicture(shuffle(reference, job.shot.height, job.shot.width, seed=SHUFFLE_SEED))
    except PassError as error:
        raise ModelMissingError(f"{JOB_FILE}: {key}: {error}") from error


def _estimated(job: Job, job_dir: Path, control: Control, key: str) -> ControlMaker:
    name = control.annotator or WITHOUT_WEIGHTS.get(control.kind, "")
    known = ", ".join(annotators_of(control.kind))
    if not name:
        raise BadJobError(
            f"{JOB_FILE}: {key}.annotator is empty, but the shot has no passes to read {control.kind} from and no "
            f"annotator estimates it without weights; choose one of {known}, and its folder in settings.annotators"
        )
    if name not in ANNOTATORS or ANNOTATORS[name].kind != control.kind:
        raise BadJobError(f"{JOB_FILE}: {key}.annotator {name!r} does not make {control.kind}; choose one of {known}")
    try:
        if not ANNOTATORS[name].has_weights:
            return Estimated(job, job_dir, Estimator(name), name)
        weights = ANNOTATOR_WEIGHTS[name].files
        return Estimated(job, job_dir, Estimator(name, job.settings.annotators, weights, _device(job)), name)
    except PassError as error:
        raise ModelMissingError(f"{JOB_FILE}: {key}: {error}") from error


def _device(job: Job) -> str:
    from .devices import choose_device  # torch, which only an annotator with weights needs

    return str(choose_device(job.settings.device))


def _refuse_annotator(control: Control, key: str) -> None:
    if control.annotator:
        raise BadJobError(
            f"{JOB_FILE}: {key}.annotator must be empty for {control.kind!r}, which nothing estimates, not "
            f"{control.annotator!r}"
        )
