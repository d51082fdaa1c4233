"""The scheduler's settings that come with a model: checked, completed, never guessed."""

from pathlib import Path
from typing import Any

from .errors import CheckpointError
from .recognise import Family, read_json

_PREDICTION_TYPES = ("epsilon", "v_prediction", "sample")


def check_scheduler(path: Path, family: Family) -> dict[str, Any]:
    """The settings of a scheduler_config.json.

    Raises CheckpointError where they are missing, or cannot be honoured: where x0 would not be what the deflickering
    takes it for.
    """
    config = read_json(path)
    if family == "sd3":
        return config
    kind = config.setdefault("prediction_type", "epsilon")
    if kind not in _PREDICTION_TYPES:
        raise CheckpointError(
            f"{path}: prediction_type {kind!r} is not supported; use a model with one of {', '.join(_PREDICTION_TYPES)}"
        )
    # Some schedulers clip unless told not to; latents, unlike pixels, have no range to clip to.
    if config.setdefault("clip_sample", False) or config.get("thresholding"):
        raise CheckpointError(f"{path}: clip_sample and thresholding are for pixel models; set both to false")
    return config
