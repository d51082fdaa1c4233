"""What helps against an error: a button for each thing that can be done about it.

Errors that say what is wrong in the scene are recognised by words of their own messages; a test provokes each of them
and presses its button. Errors of the worker are recognised by their kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from .work import CAPTURE_KIND


@dataclass(frozen=True)
class Remedy:
    """A button."""

    text: str
    """What it says."""
    operator: str
    """The operator's idname."""
    arguments: dict[str, object] = field(default_factory=dict)
    """The operator's properties."""
    icon: str = "NONE"


OPEN_LOG = Remedy("Open Log", "diffsynth.open_log", icon="TEXT")
COPY_REPORT = Remedy("Copy Report", "diffsynth.copy_report", icon="COPYDOWN")
RESUME = Remedy("Try Again", "diffsynth.resume", icon="FILE_REFRESH")
PREFERENCES = Remedy("Open Preferences", "diffsynth.open_preferences", icon="PREFERENCES")
FETCH = Remedy("Fetch What Is Missing", "diffsynth.model_download", icon="IMPORT")
FIT_RANGE = Remedy("Fit Frame Range", "diffsynth.fit_range", icon="PREVIEW_RANGE")
PASSES = Remedy("Enable Passes", "diffsynth.enable_passes", icon="RENDERLAYERS")


def _mend(what: str, text: str, icon: str = "MODIFIER") -> Remedy:
    return Remedy(text, "diffsynth.mend", {"what": what}, icon)


SMALLER = _mend("SMALLER", "Make Frames Smaller", "FULLSCREEN_EXIT")
NARROWER = _mend("WINDOW", "Halve the Deflickering Window")
PROCESSOR = _mend("CPU", "Use the Processor")
AUTOMATIC = _mend("AUTO", "Use What Is There")
DEMO_MODEL = _mend("DEMO_MODEL", "Use the Demo Model")

_BY_WORDS: tuple[tuple[str, str, tuple[Remedy, ...]], ...] = (
    (CAPTURE_KIND, r"turn off Render Region", (_mend("REGION", "Turn Off Render Region"),)),
    (CAPTURE_KIND, r"turn off Stereoscopy", (_mend("STEREO", "Turn Off Stereoscopy"),)),
    (CAPTURE_KIND, r"set Aspect X and Y", (_mend("ASPECT", "Make Pixels Square"),)),
    (CAPTURE_KIND, r"set Display Device", (_mend("DISPLAY", "Show on sRGB"),)),
    (CAPTURE_KIND, r"set Render Engine", (_mend("CYCLES", "Render With Cycles"),)),
    (CAPTURE_KIND, r"or render with EEVEE|, render with EEVEE", (_mend("EEVEE", "Render With EEVEE"),)),
    (CAPTURE_KIND, r"no view layer to render", (_mend("LAYER", "Render the View Layer"),)),
    (CAPTURE_KIND, r"has no camera", (_mend("CAMERA", "Make a Camera Active"),)),
    (CAPTURE_KIND, r"raise Resolution", (_mend("LARGER", "Render at Full Size"),)),
    (CAPTURE_KIND, r"press Enable Passes", (PASSES,)),
    (CAPTURE_KIND, r"press Fit Frame Range|lacks \d+ of frames", (FIT_RANGE,)),
    ("bad_job", r"settings\.regions .* needs exact passes", (_mend("REGIONS", "Restyle Everything Alike"),)),
    (CAPTURE_KIND, r"Fit Frame Range|choose another (frame )?range", (FIT_RANGE,)),
    ("bad_job", r"the control .* is read from passes", (_mend("CONTROLS", "Switch Off What Needs Passes"),)),
    ("bad_job", r"settings\.noise\.kind .* needs exact passes", (_mend("NOISE", "Use Fixed Noise"),)),
    (
        "bad_job",
        r"settings\.attention\.motion .* needs exact passes",
        (_mend("MOTION", "Attend Without Motion"),),
    ),
    ("bad_job", r"\.blend file, which is not saved yet", (Remedy("Save File", "wm.save_mainfile", icon="FILE_TICK"),)),
)
_BY_KIND: dict[str, tuple[Remedy, ...]] = {
    "out_of_memory": (SMALLER, NARROWER, PROCESSOR),
    "model_missing": (FETCH, DEMO_MODEL),
    "device_missing": (AUTOMATIC, PREFERENCES),
    "device_lost": (RESUME, PROCESSOR),
    "package_missing": (PREFERENCES,),
    "worker_died": (RESUME, SMALLER, PREFERENCES),
    "protocol": (PREFERENCES,),
    "storage": (Remedy("Open Folder", "diffsynth.open_job_folder", icon="FILE_FOLDER"), RESUME),
    "system_limit": (RESUME,),
    "busy": (RESUME,),
}


def remedies_of(kind: str, message: str) -> list[Remedy]:
    """What can be done about an error, the best first; reading and passing on what is known of it comes last.

    Args:
        kind: Of a `DiffSynthError`, or `CAPTURE_KIND`.
        message: Its sentence.
    """
    found: list[Remedy] = []
    for wanted_kind, words, remedies in _BY_WORDS:
        if kind == wanted_kind and re.search(words, message):
            found += remedies
    return [*_once([*found, *_BY_KIND.get(kind, ())]), OPEN_LOG, COPY_REPORT]


def _once(remedies: Iterable[Remedy]) -> list[Remedy]:
    found: list[Remedy] = []
    for remedy in remedies:
        if remedy not in found:
            found.append(remedy)
    return found
