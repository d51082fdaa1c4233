"""report.json: how long a job took, how steady and how sharp its result is."""

import json
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .. import __version__
from ..protocol import REPORT_FILE
from ..protocol.files import write_bytes_atomic


class Stopwatch:
    """Seconds spent in each part of a job. A part measured inside another is taken out of the outer one."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._inner = 0.0

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Time the block as part `name`."""
        outer, self._inner = self._inner, 0.0
        start = time.perf_counter()
        try:
            yield
        finally:
            elapsed = time.perf_counter() - start
            self.seconds[name] = self.seconds.get(name, 0.0) + elapsed - self._inner
            self._inner = outer + elapsed


@dataclass(frozen=True)
class Temporal:
    """Mean squared difference in [0, 1] sRGB of neighbouring frames along the exact motion, visible pixels only."""

    warp_error_source: float
    """Of the rendered frames: what moving light and resampling alone make."""
    warp_error_per_frame: float | None
    """Of independent frames of the same model; None when the job made none."""
    warp_error_result: float


@dataclass(frozen=True)
class Sharpness:
    """Mean gradient magnitude of the frames' luma, per pixel."""

    source: float
    per_frame: float | None
    """Of independent frames of the same model; None when the job made none."""
    result: float


@dataclass(frozen=True)
class Report:
    """Everything that is known about a finished job."""

    frames: int
    width: int
    height: int
    device: str
    temporal: Temporal | None
    """None for footage, whose true motion nobody knows."""
    sharpness: Sharpness
    settings_hash: str
    seconds: dict[str, float] = field(default_factory=dict)
    """By part; only what this run did itself, so a resumed job counts what was left."""
    versions: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """What the run found worth telling, such as that it had to do with less memory."""

    def write(self, job_dir: Path) -> Path:
        """Write JOB/report.json in one piece and return its path."""
        path = job_dir / REPORT_FILE
        write_bytes_atomic(path, (json.dumps(asdict(self), indent=1) + "\n").encode())
        return path


def is_reported(folder: Path) -> bool:
    """Whether a folder holds a whole report; it is written last of all."""
    try:
        json.loads((folder / REPORT_FILE).read_bytes())
    except (OSError, ValueError):
        return False
    return True


def versions(blender: str) -> dict[str, str]:
    """Versions of everything that decides the picture."""
    import diffusers
    import torch
    import transformers
    import warp

    return {
        "diffsynth_blender": __version__,
        "blender": blender,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "diffusers": diffusers.__version__,
        "transformers": transformers.__version__,
        "warp": warp.__version__,
    }
