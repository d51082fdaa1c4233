"""report.json of a deflickering: how long it took, how steady and how sharp the result is beside what came in."""

import json
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import warp as wp

from .. import __version__
from ..blending.metrics import sharpness, warp_error
from ..protocol import REPORT_FILE
from ..protocol.files import write_bytes_atomic

Read = Callable[[int], np.ndarray]
"""Frame number → the frame (H, W, 3) in [0, 1]."""


@dataclass(frozen=True)
class DeflickerTemporal:
    """Mean squared difference in [0, 1] sRGB of neighbouring frames along the exact motion, visible pixels only."""

    warp_error_source: float
    """Of the job's source frames: what moving light and resampling alone make."""
    warp_error_per_frame: float | None
    """Of the style frames; None in mode "keyframes", which has only a few."""
    warp_error_result: float


@dataclass(frozen=True)
class DeflickerSharpness:
    """Mean gradient magnitude of the frames' luma, per pixel."""

    source: float
    """Of the guide."""
    per_frame: float
    """Of the style frames. Flicker that is grain counts here and not in the result."""
    result: float


@dataclass(frozen=True)
class DeflickerReport:
    """Everything that is known about a finished deflickering."""

    frames: int
    width: int
    height: int
    mode: str
    window: int
    device: str
    temporal: DeflickerTemporal | None
    """None where there are no passes: estimated motion would measure its own mistakes."""
    sharpness: DeflickerSharpness
    settings_hash: str
    """Of choices and inputs."""
    seconds: dict[str, float]
    """By part; only what the last run did itself, so a resumed one counts what was left."""
    versions: dict[str, str]

    def write(self, folder: Path) -> None:
        """Write report.json in one piece."""
        write_bytes_atomic(folder / REPORT_FILE, (json.dumps(asdict(self), indent=1) + "\n").encode())


def measure_temporal(
    frames: Sequence[int],
    field: Callable[[int, int], np.ndarray],
    guide: Read,
    style: Read | None,
    result: Read,
) -> DeflickerTemporal:
    """Warp errors of the clip before and after, from its exact motion (`Clip.field`)."""

    def error(read: Read) -> float:
        # A clip in which nothing is ever seen twice has no pair that could disagree.
        return warp_error(_each(read, frames), field) or 0.0

    return DeflickerTemporal(error(guide), None if style is None else error(style), error(result))


def measure_sharpness(
    frames: Sequence[int], style_frames: Sequence[int], guide: Read, style: Read, result: Read
) -> DeflickerSharpness:
    """Sharpness of the clip before and after."""

    def value(read: Read, numbers: Sequence[int]) -> float:
        found = sharpness(_each(read, numbers))
        assert found is not None  # there is at least one frame
        return found

    return DeflickerSharpness(value(guide, frames), value(style, style_frames), value(result, frames))


def versions() -> dict[str, str]:
    """Versions of everything that decides the picture."""
    return {
        "diffsynth_blender": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "warp": wp.__version__,
    }


def _each(read: Read, frames: Sequence[int]) -> Iterator[np.ndarray]:
    return (read(frame) for frame in frames)
